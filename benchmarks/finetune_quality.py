"""How far a fine-tuned voice has come: what it rebuilds, how well it is understood, and whom it sounds like.

    python benchmarks/finetune_quality.py --data FOLDER --voices 0%=FOLDER 50%=FOLDER 100%=FOLDER --json out.json

FOLDER of --data holds `metadata.csv` (file_name,text), the recordings it names, and `eval.txt`: names of those that
were never trained on. Every voice speaks the evaluation prompts and twenty plain sentences, all with the same draws.

- mel L1: between the log-mels of a recording of the evaluation set and of what posterior encoder and decoder make of
  it, mean over frames; only of a voice that has a posterior encoder. It compares voices of one rate and one
  spectrogram.
- WER: of Whisper tiny.en, both sides normalised; wrong words of all words.
- like target, like base: mean cosine of resemblyzer's embeddings of the evaluation prompts, as the voice speaks them,
  with the target's mean embedding (recordings of the training set) and with the base's (plain sentences).
- nearer target: on how many evaluation prompts the first cosine is the greater.

The rows "recordings" and "base" are the two ends. Needs "hf_vits[train,phonemes,onnx,bench]" and jiwer==4.0.0; building
webrtcvad, which resemblyzer asks for, takes a C compiler.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from meters import speech
from meters.installed import check_installed, print_versions, versions
from meters.recordings import Recording, Utterance, evenly, read_data, recorded
from meters.speech import SENTENCES, WordErrors, evaluator, word_errors

PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "librosa": "librosa",
    "onnx": "onnx",
    "phonemizer": "phonemizer-fork",
    "espeakng_loader": "espeakng-loader",
    "tqdm": "tqdm",
    **speech.PACKAGES["wer"],
    **speech.PACKAGES["similarity"],
}
"""What is imported, and what pip calls it."""

TARGET_RECORDINGS = 100
"""At most so many make the target's mean embedding; twice as many move evaluation cosines by less than 0.001."""

WINDOW_SECONDS = 1.6
"""What the encoder takes at once; shorter speech is padded with silence and embedded poorly."""

TARGET, BASE = 0, 1
"""Numbers of the two ends, as speakers."""

COLUMNS = ("voice", "mel L1", "WER eval", "WER plain", "like target", "like base", "nearer target")


class Speech(NamedTuple):
    """What a voice was made to do. No `mel_loss` of what cannot rebuild, no `plain` sentences of recordings."""

    mel_loss: float | None
    evaluation: list[Utterance]
    plain: list[Utterance]


class Voice:
    """A folder's tokenizer and model."""

    def __init__(self, folder: str | Path):
        from hf_vits import VitsModel, VitsTokenizer

        self.tokenizer = VitsTokenizer.from_pretrained(folder)
        self.model = VitsModel.from_pretrained(folder).eval()

    def perform(self, evaluation: Sequence[Recording], seed: int) -> Speech:
        """Each text with draws of its own, which are the same for every voice."""
        spoken = self.speak([*(recording.text for recording in evaluation), *SENTENCES], seed)
        return Speech(self.mel_loss(evaluation, seed), spoken[: len(evaluation)], spoken[len(evaluation) :])

    def speak(self, texts: Sequence[str], seed: int) -> list[Utterance]:
        import torch

        spoken, rate = [], self.model.config.sampling_rate
        for number, text in enumerate(watched(texts, "speaking")):
            with torch.no_grad():
                output = self.model(**self.tokenizer(text, return_tensors="pt"), generator=draws(seed, number))
            spoken.append(Utterance(text, output.waveform[0].clamp(-1, 1).numpy(), rate))
        return spoken

    def mel_loss(self, recordings: Sequence[Recording], seed: int) -> float | None:
        """Mean distance of a log-mel value from that of its reconstruction; None without a posterior encoder."""
        import torch

        from hf_vits.data.audio import read_audio
        from hf_vits.modules.spectrogram import Spectrogram

        model, hop = self.model, self.model.config.hop_length
        if model.missing_for_training():
            return None
        spectrogram, total, values = Spectrogram(model.config), 0.0, 0
        for number, recording in enumerate(watched(recordings, "rebuilding")):
            waveform = torch.from_numpy(read_audio(recording.path, model.config.sampling_rate))
            frames = len(waveform) // hop
            with torch.inference_mode():
                magnitudes = spectrogram(waveform[None, None, : frames * hop])
                mask = torch.ones(1, 1, frames)
                latents, _, _ = model.posterior_encoder(magnitudes, mask, generator=draws(seed, number))
                rebuilt = spectrogram(model.decode(latents))
                difference = spectrogram.mel(magnitudes) - spectrogram.mel(rebuilt)
            total, values = total + difference.abs().sum().item(), values + difference.numel()
        return total / values


class Meters:
    """
    Word errors, and similarity to both ends.

    Args:
        threads (`int`):
            Threads of the recognizer and the encoder.
        target, base (`Sequence[Utterance]`):
            Speech of the two ends.
    """

    def __init__(self, threads: int, target: Sequence[Utterance], base: Sequence[Utterance]):
        self.words, self.likeness = evaluator(threads, "wer"), evaluator(threads, "similarity")
        self.likeness.prepare([*as_speaker(target, TARGET), *as_speaker(base, BASE)])

    def ends_alike(self) -> float:
        """Cosine of the mean embeddings of both ends."""
        targets = self.likeness.metrics["similarity"].targets
        return float(targets[TARGET] @ targets[BASE])

    def recognized(self, speech: Sequence[Utterance]) -> list[dict]:
        return [self.words.row(one) for one in watched(as_speaker(speech, None), "recognizing")]

    def like(self, speech: Sequence[Utterance], speaker: int) -> list[float]:
        spoken = watched(as_speaker(speech, speaker), "embedding")
        return [self.likeness.row(one)["similarity"][0] for one in spoken]

    def figures(self, speech: Speech) -> dict:
        """All figures of a row, and every evaluation prompt as it was recognized."""
        rows = self.recognized(speech.evaluation)
        like_target, like_base = (self.like(speech.evaluation, end) for end in (TARGET, BASE))
        return {
            "mel_loss": speech.mel_loss,
            "wer_eval": counted(word_errors(rows)),
            "wer_plain": counted(word_errors(self.recognized(speech.plain))) if speech.plain else None,
            "like_target": fmean(like_target),
            "like_base": fmean(like_base),
            "nearer_target": sum(a > b for a, b in zip(like_target, like_base, strict=True)),
            "prompts": [
                {"reference": row["text"], "recognized": row["transcript"], "like_target": target, "like_base": base}
                for row, target, base in zip(rows, like_target, like_base, strict=True)
            ],
        }


def as_speaker(speech: Sequence[Utterance], speaker: int | None) -> list:
    """-> the same for `hf_vits.evaluation`."""
    from hf_vits import evaluation

    return [evaluation.Utterance(*one, speaker) for one in speech]


class Report:
    """Rows as they come: printed in a Markdown table, and written to a JSON file, if any."""

    def __init__(self, path: Path | None, **about):
        self.path, self.report = path, {**about, "rows": []}
        print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)

    def add(self, name: str, figures: dict, seconds: float):
        self.report["rows"].append({"voice": name, **figures, "seconds": round(seconds, 1)})
        print(f"| {' | '.join((name, *cells(figures)))} |", flush=True)
        if self.path:
            self.path.write_text(json.dumps(self.report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    arguments = parsed()
    check_installed(PACKAGES)
    import torch

    from hf_vits import default_voice

    torch.set_num_threads(arguments.threads)
    evaluation, training = read_data(arguments.data)
    print_versions(PACKAGES, arguments.threads)
    target = recorded(evenly(training, TARGET_RECORDINGS, WINDOW_SECONDS))
    base, base_seconds = timed(lambda: Voice(arguments.base or default_voice()).perform(evaluation, arguments.seed))
    meters = Meters(arguments.threads, target, base.plain)
    report = Report(arguments.json, **about(arguments), target_like_base=meters.ends_alike())

    def measure(name: str, speech: Speech, seconds: float):
        figures, more = timed(lambda: meters.figures(speech))
        report.add(name, figures, seconds + more)

    measure("recordings", Speech(None, recorded(evaluation), []), 0)
    measure("base", base, base_seconds)
    for name, folder in arguments.voices:
        measure(name, *timed(lambda folder=folder: Voice(folder).perform(evaluation, arguments.seed)))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=folder, required=True, help="folder of recordings")
    parser.add_argument("--base", type=folder, help="voice that was fine-tuned; the default voice without it")
    parser.add_argument("--voices", type=named_folder, nargs="+", required=True, help="NAME=FOLDER of each voice")
    parser.add_argument("--seed", type=int, default=0, help="of all draws")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch and Whisper")
    parser.add_argument("--json", type=Path, help="file for all figures, those of every prompt too")
    arguments = parser.parse_args()
    if arguments.json and not arguments.json.parent.is_dir():
        parser.error(f"There is no folder {arguments.json.parent} to write {arguments.json.name} to; make it.")
    return arguments


def folder(path: str) -> Path:
    if not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path!r}")
    return Path(path)


def named_folder(argument: str) -> tuple[str, Path]:
    name, equals, path = argument.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=FOLDER, such as 50%=out/checkpoint-500")
    return name, folder(path)


def draws(seed: int, number: int):
    """The source of noise of one text or recording."""
    import torch

    return torch.Generator().manual_seed(1000 * seed + number)


def about(arguments: argparse.Namespace) -> dict:
    return {
        "seed": arguments.seed,
        "threads": arguments.threads,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": versions(PACKAGES),
    }


def counted(errors: WordErrors) -> dict:
    return {**errors._asdict(), "rate": errors.rate}


def cells(figures: dict) -> tuple[str, ...]:
    """Figures of a row -> its cells after the first."""
    loss, prompts = figures["mel_loss"], len(figures["prompts"])
    rates = (
        "-" if errors is None else f"{100 * errors['rate']:.2f} % ({errors['wrong']} of {errors['words']})"
        for errors in (figures["wer_eval"], figures["wer_plain"])
    )
    likeness = (f"{figures[name]:.3f}" for name in ("like_target", "like_base"))
    return ("-" if loss is None else f"{loss:.4f}", *rates, *likeness, f"{figures['nearer_target']} of {prompts}")


def watched(items: Sequence, doing: str):
    from tqdm import tqdm

    return tqdm(items, desc=doing, leave=False)


def timed(work: Callable) -> tuple:
    """What the work gives, and its seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


if __name__ == "__main__":
    main()
