"""What OpenAI's client gets from `hf-vits serve`: every text, whole and streamed, against the samples of the pipeline.

Texts have 1 to `--words` words, spread evenly by the logarithm of their length; in this order, formats take turns.
Lossless formats must have every sample to half a step of 16 bits, with as much for the difference of chunks and whole.
Others must be as near as the samples of the pipeline that are encoded at once, over all and in the last 50 ms. No
answer may be a sample short. The status is 1 if one is wrong. Needs "hf_vits[demo,serve]", and openai. Run:

    python benchmarks/client_audio.py [--voice default] [--texts 200] [--words 2000] [--only 0 1 2] [--json FILE]
"""

import argparse
import io
import random
from collections import Counter, defaultdict

import numpy as np
from meters.http_server import started
from meters.installed import check_installed, print_versions
from meters.turns import write_json

PACKAGES = {name: name for name in ("torch", "fastapi", "uvicorn", "openai", "soundfile", "soxr")}
WORDS = ["a", "bed", "jam", "kid", "nap", "deaf", "lion", "mop", "goal", "flip"]
"""Of letters that the tiny voices of the tests have, too."""

STRIDE = 89
"""Ranks, by length, between two texts; it is prime, so that each rank has its turn."""

STEPS = 1.1
"""Largest error of lossless formats, in steps of 16 bits."""

WORSE = 0.5
"""Decibels by which the error of other formats may be larger than that of the samples encoded at once."""

DELAYS = {"mp3": 1105, "aac": 1024}
"""Samples that decoders add before a stream of these formats, and before a whole file of AAC."""


def text_of(rank: int, texts: int, most: int) -> str:
    """The text of a rank, in sentences of 1 to 12 words."""
    chance = random.Random(rank)
    words, last = chance.choices(WORDS, k=round(most ** (rank / max(texts - 1, 1)))), -1
    while (last := last + chance.randint(1, 12)) < len(words) - 1:
        words[last] += "."
    return " ".join(words).capitalize() + "."


def answer(client, text: str, seed: int, name: str, is_whole: bool) -> bytes:
    """What the client gets; without `stream`, FLAC is whole, as libsndfile does not read its streams."""
    request = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": name}
    if is_whole:
        return client.audio.speech.create(**request, extra_body={"seed": seed, "stream": False}).content
    with client.audio.speech.with_streaming_response.create(**request, extra_body={"seed": seed}) as response:
        return b"".join(response.iter_bytes(4096))


def decoded(name: str, data: bytes) -> np.ndarray:
    """Samples at the rate of the file; 16-bit integers of lossless formats."""
    import soundfile

    if name == "pcm":
        return np.frombuffer(data, "<i2")
    if name == "aac":
        import av

        with av.open(io.BytesIO(data), format="aac") as file:  # which cannot be guessed from a short one
            return np.concatenate([frame.to_ndarray().ravel() for frame in file.decode(audio=0)])
    return soundfile.read(io.BytesIO(data), dtype="int16" if name in ("wav", "flac") else "float32")[0]


def steps_away(samples: np.ndarray, sound: np.ndarray) -> float:
    """The largest error in steps of 16 bits; infinite if the number of samples differs."""
    return np.abs(samples - 32767 * np.clip(sound, -1, 1)).max() if len(samples) == len(sound) else np.inf


def error_of(samples: np.ndarray, sound: np.ndarray, delay: int, tail: int) -> np.ndarray:
    """Errors in decibels of the energy of the sound, over all and in its tail; infinite if samples are missing."""
    found = samples[delay : delay + len(sound)]
    if len(found) < len(sound):
        return np.array([np.inf, np.inf])
    parts = [(found, sound), (found[-tail:], sound[-tail:])]
    return np.array([10 * np.log10((np.sum((a - b) ** 2) + 1e-9) / (np.sum(b**2) + 1e-9)) for a, b in parts])


def compare(name: str, data: bytes, is_whole: bool, sound: np.ndarray, rate: int) -> tuple[bool, float]:
    """-> whether an answer is right; its error in steps, or in decibels above that of encoding at once."""
    import soxr

    from hf_vits.serving.encoders.base import AUDIO_FORMATS, make_encoder

    samples = decoded(name, data)
    if name in ("wav", "flac", "pcm"):
        error = steps_away(samples, sound)
        return error <= STEPS, error
    encoder = make_encoder(name, rate, is_whole=True)
    at_once = decoded(name, encoder.encode(sound) + encoder.finish())
    target = AUDIO_FORMATS[name].nearest_rate(rate)
    sound = sound if target == rate else soxr.resample(sound, rate, target)
    delays = [0 if name == "mp3" and whole else DELAYS.get(name, 0) for whole in (is_whole, True)]
    errors = [
        error_of(found, np.clip(sound, -1, 1), delay, target // 20)
        for found, delay in zip((samples, at_once), delays, strict=True)
    ]
    worse = max(errors[0] - errors[1])
    return worse <= WORSE, worse


def measure(port: int, options: argparse.Namespace) -> dict:
    """Asks for all texts; returns the figures of each format."""
    import openai
    import torch

    from hf_vits import TextToSpeechPipeline
    from hf_vits.serving.encoders.base import available_formats
    from hf_vits.serving.voice_pool import load_pipeline

    torch.set_num_threads(options.threads)
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="-", max_retries=0, timeout=3600)
    pipe: TextToSpeechPipeline = load_pipeline(options.voice)
    formats, answers, worst, wrong = available_formats(), Counter(), defaultdict(lambda: -np.inf), []
    for number in range(options.texts) if options.only is None else options.only:
        rank = number * STRIDE % options.texts
        text, name = text_of(rank, options.texts, options.words), formats[rank % len(formats)]
        sound = pipe(text, speaker_id=0, generator=torch.Generator().manual_seed(number))["audio"]
        for is_whole in (True, False):
            data = answer(client, text, number, name, is_whole)
            is_right, error = compare(name, data, is_whole, sound, pipe.sampling_rate)
            answers[name] += 1
            worst[name] = max(worst[name], float(error))
            wrong += [] if is_right else [f"text {number}, {name}, {'whole' if is_whole else 'streamed'}: {error:.3g}"]
        words = text.count(" ") + 1
        print(f"text {number}: {words} words, {len(sound) / pipe.sampling_rate:.1f} s, {name}", flush=True)
    return {"answers": dict(answers), "worst": dict(worst), "wrong": wrong}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="default")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--words", type=int, default=2000, help="of the longest text")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="these texts alone, to measure in parts")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(PACKAGES)
    print_versions(PACKAGES, options.threads)
    server, port = started(options.voice, "--threads", str(options.threads))
    try:
        figures = measure(port, options)
    finally:
        server.terminate()
        server.wait(60)
    for name, count in figures["answers"].items():
        unit = "steps of 16 bits" if name in ("wav", "flac", "pcm") else "dB above encoding at once"
        print(f"{name}: {count} answers, worst error {figures['worst'][name]:.2f} {unit}")
    print(*figures["wrong"], f"{len(figures['wrong'])} answers are wrong", sep="\n")
    write_json(options.json, figures)
    raise SystemExit(bool(figures["wrong"]))


if __name__ == "__main__":
    main()
