"""Forced alignment: word times of the voice's own speech, where the truth is known, and planted wrong transcripts.

Needs "hf_vits[train,phonemes]" and a voice with a posterior encoder, such as the result of `hf-vits complete default
completed`; the second part takes a folder of recordings with a metadata.csv. Run:

    python benchmarks/forced_alignment.py completed --sentences 30 --recordings FOLDER --rows 300
"""

import argparse
import functools
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from meters.installed import check_installed, print_versions
from meters.speech import SENTENCES

PACKAGES = {"torch": "torch", "transformers": "transformers", "librosa": "librosa", "datasets": "datasets"}
"""What is imported, and what pip calls it."""

TOLERANCE_MS = 25


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", help="folder of a voice with a posterior encoder")
    parser.add_argument("--sentences", type=int, default=30, help="sentences of its own to align")
    parser.add_argument("--recordings", metavar="FOLDER", help="recordings with a metadata.csv")
    parser.add_argument("--rows", type=int, default=300, help="recordings that are used")
    parser.add_argument("--planted", type=int, default=20, help="wrong transcripts among them")
    parser.add_argument("--others", action="store_true", help="none of the 300 that the confidence was fitted to")
    parser.add_argument("--language", help="espeak voice of the texts, if it is not that of the voice")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="choices of rows and planted texts"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="keep the figures")
    arguments = parser.parse_args()
    check_installed(PACKAGES)
    print_versions(PACKAGES, arguments.threads)
    torch.set_num_threads(arguments.threads)
    from hf_vits import ForcedAligner

    aligner, figures = ForcedAligner(arguments.voice), {}
    if arguments.sentences:
        figures["own_speech"] = own_speech(aligner, arguments.sentences)
    if arguments.recordings:
        figures["recordings"] = recordings(aligner, arguments)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=1) + "\n")


def own_speech(aligner, count: int) -> dict[str, Any]:
    """Errors of the boundaries of words and phonemes, in speech alone and with silence and noise around it."""
    from hf_vits import TextToSpeechPipeline

    pipe = TextToSpeechPipeline(aligner.model, aligner.tokenizer)
    rate, frame = pipe.sampling_rate, 1000 * aligner.model.config.hop_length / pipe.sampling_rate
    errors = {(kind, unit): [] for kind in ("alone", "in silence") for unit in ("word", "phoneme")}
    for seed in range(count):
        text = SENTENCES[seed % len(SENTENCES)]
        said = pipe(text, return_timestamps=True, generator=torch.Generator().manual_seed(seed))
        noise = np.random.default_rng(seed)
        before, after = (int(rate * seconds) for seconds in noise.uniform(0.3, 1.5, 2))
        around = np.pad(said["audio"], (before, after)) + noise.normal(0, 1e-3, before + after + len(said["audio"]))
        for kind, audio, shift in (("alone", said["audio"], 0.0), ("in silence", around, before / rate)):
            sound = {"array": audio.astype(np.float32), "sampling_rate": rate}
            found = aligner.align(sound, text).timestamps
            for unit in ("word", "phoneme"):
                for true, ours in zip(said["timestamps"][unit], found[unit], strict=True):
                    errors[kind, unit] += [ours[edge] - shift - true[edge] for edge in ("start", "end")]
    figures = {}
    for (kind, unit), values in errors.items():
        ms = np.abs(values) * 1000
        figures[f"{unit}s {kind}"] = {
            "boundaries": len(ms),
            "median_frames": float(np.median(ms) / frame),
            f"within_{TOLERANCE_MS}_ms": float((ms <= TOLERANCE_MS).mean()),
            "percentile_99_ms": float(np.quantile(ms, 0.99)),
        }
        print(f"{unit}s {kind}: {figures[f'{unit}s {kind}']}", flush=True)
    return figures


def recordings(aligner, arguments) -> dict[str, Any]:
    """How many recordings with the text of another one, and how many with their own, are reported, with all seeds."""
    from datasets import concatenate_datasets

    from hf_vits.data.load import load_data

    data = concatenate_datasets([part for part in load_data(arguments.recordings) if part is not None])
    fitted = set(random.Random(0).sample(range(len(data)), min(300, len(data)))) if arguments.others else ()
    pool = [i for i in range(len(data)) if i not in fitted]
    if arguments.planted >= min(arguments.rows, len(pool)):
        raise SystemExit(f"--planted is {arguments.planted} of {min(arguments.rows, len(pool))} rows; give fewer.")
    aligner.tokenizer.phoneme_language = arguments.language or aligner.tokenizer.phoneme_language
    encode = functools.cache(lambda i: encoded(aligner, data[i]["audio"]))
    figures: dict[str, Any] = {
        "seeds": {seed: planting(aligner, data, pool, encode, arguments, seed) for seed in arguments.seeds}
    }
    for name in ("unadapted", "adapted"):
        found, planted, alarms, right = (
            sum(one[name][key] for one in figures["seeds"].values()) for key in ("found", "planted", "alarms", "right")
        )
        figures[name] = {"found": wilson(found, planted), "false_alarms": wilson(alarms, right)}
        print(f"{name}, all seeds: {figures[name]}")
    return figures


def wilson(count: int, of: int, z: float = 1.96) -> dict[str, float]:
    """Count, share, and its 95 % interval by Wilson."""
    share, spread = count / of, z * math.sqrt(count / of * (1 - count / of) / of + z * z / (4 * of * of))
    low, high = ((share + z * z / (2 * of) + side * spread) / (1 + z * z / of) for side in (-1, 1))
    return {"count": count, "of": of, "share": share, "low": low, "high": high}


def encoded(aligner, sound) -> tuple[np.ndarray, torch.Tensor]:
    waveform = aligner.waveform(sound)
    return waveform, aligner.latents([waveform])[0]


def planting(aligner, data, pool: list[int], encode, arguments, seed: int) -> dict[str, Any]:
    """Figures of one choice of rows and planted texts."""
    draw = random.Random(seed)
    chosen = sorted(draw.sample(pool, min(arguments.rows, len(pool))))
    texts = [data[i]["text"] for i in chosen]
    planted = sorted(draw.sample(range(len(texts)), arguments.planted))
    given = list(texts)
    for i in planted:
        given[i] = draw.choice([text for text in texts if text.lower() != texts[i].lower()])
    waveforms, latents = zip(*map(encode, chosen), strict=True)
    figures: dict[str, Any] = {}
    aligner.adaptation = None
    for name in ("unadapted", "adapted"):
        if name == "adapted":
            aligner.adapt_latents(latents, waveforms, given, [None] * len(given))
        confidence, is_aligned = [], 0
        for one, waveform, text in zip(latents, waveforms, given, strict=True):
            try:
                confidence.append(aligner.align_latents(one, waveform, text).confidence)
                is_aligned += 1
            except ValueError:  # shorter than its text
                confidence.append(0.0)
        figures[name] = found_of(np.array(confidence), planted) | {"aligned": is_aligned}
        print(f"seed {seed}, {name}: {figures[name]}", flush=True)
        worst = np.argsort(confidence)[: len(planted) + 8]
        for i in worst:
            note = f"planted, really {texts[i]!r}" if i in planted else "its own"
            print(f"  {confidence[i]:.3f} {given[i][:60]!r} ({note[:70]})")
    return figures


def found_of(confidence: np.ndarray, planted: list[int]) -> dict[str, Any]:
    is_planted = np.isin(np.arange(len(confidence)), planted)
    reported = confidence < 0.5
    lowest = confidence <= confidence[is_planted].max()
    return {
        "found": int((reported & is_planted).sum()),
        "planted": len(planted),
        "alarms": int((reported & ~is_planted).sum()),
        "right": int((~is_planted).sum()),
        "false_alarms_if_all_found": float(lowest[~is_planted].mean()),
    }


if __name__ == "__main__":
    main()
