"""Whether an exported voice says what it says in PyTorch: random texts, without noise, each kind of input."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hf_vits.export import Voice, needed
from hf_vits.export.graph import inference_copy
from hf_vits.modeling_vits import VitsModel

Feed = dict[str, np.ndarray]
"""Inputs of a graph, by name."""

Waveform = Callable[[int, int], np.ndarray]
"""From an item and the number of its frames to its samples."""

TEXT_LENGTHS = (1, 9, 40)

MOST_ERROR = 1e-3
"""Largest difference of a sample, of ±1, in float32."""

LEAST_CORRELATION = 0.9
"""Of log spectra, in other precisions; speech that has little to do with the other has half of that."""

MOST_STRETCH = {"float32": 0.002, "float16": 0.02, "int8": 0.1}
"""Share of all frames that durations may differ by. They are rounded up, so that the least difference may cost one."""

WINDOW = 256
"""Samples of a spectrum."""


@dataclass
class Parity:
    """Of all texts: the largest difference of a sample, the least correlation of spectra, and frames of each."""

    precision: str
    error: float = 0.0
    correlation: float = 1.0
    frames: int = 0
    other_frames: int = 0
    texts: int = 0

    def add(self, made: np.ndarray, expected: Tensor) -> None:
        """Counts a waveform, or a part of one, against PyTorch's; both of the same size, or all is lost."""
        made = torch.from_numpy(made).reshape(-1)
        expected = expected.detach().reshape(-1)
        if made.shape != expected.shape:
            self.error = float("inf")
            return
        error = (made - expected).abs().max().item()
        self.error = error if np.isnan(error) else max(self.error, error)
        self.correlation = min(self.correlation, _correlation(made, expected))

    def add_durations(self, made: np.ndarray, expected: Tensor) -> None:
        """Counts frames of tokens against those that PyTorch predicts."""
        self.frames += int(expected.sum())
        self.other_frames += int((torch.from_numpy(made) - expected).abs().sum())

    @property
    def is_good(self) -> bool:
        """Whether all is within the bounds; NaN is not."""
        most = MOST_ERROR if self.precision == "float32" else sys.float_info.max
        alike = self.error <= most and (self.precision == "float32" or self.correlation >= LEAST_CORRELATION)
        return alike and self.other_frames <= max(1, MOST_STRETCH[self.precision] * self.frames)

    def __str__(self) -> str:
        lengths = f"{self.other_frames} of {self.frames} frames of durations differ"
        return (
            f"{self.texts} texts against PyTorch, without noise: samples differ by {self.error:.1e} at most, spectra "
            f"correlate to {self.correlation:.4f}, {lengths}."
        )


@torch.no_grad()
def whole_parity(voice: Voice, symbols: Sequence[int], graph: bytes) -> str:
    """
    Runs a graph of `export.graph.OnnxVits` in onnxruntime.

    Args:
        voice (`Voice`):
            What it was made of.
        symbols (`Sequence[int]`):
            Ids that texts have.
        graph (`bytes`):
            The file.

    Returns:
        `str`: how near it is, in words.

    Raises:
        ImportError: without the package onnxruntime.
        ValueError: if it is not near enough.
    """
    run = runner(graph)

    def speak(feed: Feed) -> tuple[np.ndarray, Waveform]:
        waveforms, durations = run(feed)
        hop = voice.model.config.hop_length
        return durations, lambda item, frames: waveforms[item, 0, 0, : frames * hop]

    return compared(voice, symbols, speak)


def compared(voice: Voice, symbols: Sequence[int], speak: Callable[[Feed], tuple[np.ndarray, Waveform]]) -> str:
    """
    Has a runtime speak random texts, and says how near to PyTorch it is; errors are those of `whole_parity`.

    `speak` makes of inputs the durations (B, T_text), and a function from an item and its frames to its samples.
    """
    model, parity = inference_copy(voice.model), Parity(voice.precision)
    language = model.language_vector(voice.language, 1)
    for feed, speakers in feeds(model, symbols):
        durations, waveform = speak(feed)
        for item, length in enumerate(feed["input_lengths"]):
            ids = torch.from_numpy(feed["input"][item : item + 1, :length])
            speaker = model.speaker_vector(None if speakers is None else speakers[item], 1)
            own = durations[item : item + 1, :length]
            call = {"speaker": speaker, "language": language}
            latents = model.latents(ids, **call, noise_scale=0.0, durations=torch.from_numpy(own)).latents
            parity.add(waveform(item, int(own.sum())), model.decode(latents, speaker=speaker))
            rate = 1 / float(feed["scales"][1])
            predicted = model.prior(ids, **call, noise_scale_duration=0.0, speaking_rate=rate).durations
            parity.add_durations(own, predicted)
            parity.texts += 1
    return told(parity)


def told(parity: Parity) -> str:
    """What was found, in words; `ValueError` if it is not good."""
    if parity.is_good:
        return str(parity)
    bound = f"samples {MOST_ERROR}" if parity.precision == "float32" else f"a correlation of {LEAST_CORRELATION}"
    smaller = ", or too far apart in size for this precision: try float32" if parity.precision != "float32" else ""
    raise ValueError(
        f"The exported voice does not say what it says in PyTorch, and was not kept. {parity} Allowed in "
        f"{parity.precision} are {bound}, and {MOST_STRETCH[parity.precision]:.1%} of the frames. Its weights may be "
        f"damaged{smaller}."
    )


def feeds(model: VitsModel, symbols: Sequence[int]) -> Iterator[tuple[Feed, list[int] | None]]:
    """Inputs of a whole graph, and the speakers among them: single texts, then all as a ragged batch, spoken slower."""
    random, count = np.random.default_rng(0), model.config.num_speakers
    texts = [random.choice(np.array(symbols, dtype=np.int64), length) for length in TEXT_LENGTHS]
    speakers = [(0, count - 1)[number % 2] for number in range(len(texts))]

    def feed(chosen: list[int], length_scale: float):
        size = max(len(texts[number]) for number in chosen)
        made = {
            "input": np.stack([np.pad(texts[number], (0, size - len(texts[number]))) for number in chosen]),
            "input_lengths": np.array([len(texts[number]) for number in chosen], dtype=np.int64),
            "scales": np.array([0, length_scale, 0], dtype=np.float32),
        }
        who = [speakers[number] for number in chosen] if count > 1 else None
        return made | ({} if who is None else {"sid": np.array(who, dtype=np.int64)}), who

    for number in range(len(texts)):
        yield feed([number], 1.0)
    yield feed(list(range(len(texts))), 1.25)


def runner(graph: bytes) -> Callable[[Feed], list[np.ndarray]]:
    """A file's bytes -> a function from inputs by name to the list of outputs; `ValueError` if it cannot run."""
    onnxruntime = needed("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the machine may have other work
    options.log_severity_level = 4  # what goes wrong is told once, below

    def run(feed: Feed) -> list[np.ndarray]:
        with _told():
            return session.run(None, feed)

    with _told():
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return run


@contextmanager
def _told() -> Iterator[None]:
    """Errors of onnxruntime, which have no common class, as `ValueError`."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"onnxruntime cannot run the exported voice, which was not kept: {error}") from error


def _correlation(made: Tensor, expected: Tensor) -> float:
    """Of two waveforms' log spectra, -1 to 1."""
    spectra = []
    for waveform in (made, expected):
        padded = torch.nn.functional.pad(waveform.float(), (0, max(0, WINDOW - len(waveform))))
        spectrum = torch.stft(padded, WINDOW, window=torch.hann_window(WINDOW), return_complex=True).abs()
        spectra.append(spectrum.clamp(min=1e-4).log().flatten())
    return torch.corrcoef(torch.stack(spectra))[0, 1].item()


WINDOW_FRAMES = 16
"""Frames of a window, without what lies around it; a text of the check has several."""


@torch.no_grad()
def split_parity(voice: Voice, symbols: Sequence[int], first: bytes, second: bytes, context: int) -> str:
    """Runs both graphs as one who streams does; arguments, result and errors are those of `whole_parity`."""
    run_first, run_second = runner(first), runner(second)

    def speak(feed: Feed) -> tuple[np.ndarray, Waveform]:
        latents, durations = run_first(feed)

        def waveform(item: int, frames: int) -> np.ndarray:
            sid = {"sid": feed["sid"][item : item + 1]} if "sid" in feed else {}
            own = latents[item : item + 1, :, :frames]
            pieces = windows(own, context, lambda window: run_second({"latents": window, **sid})[0])
            return np.concatenate(pieces, axis=-1)

        return durations, waveform

    return compared(voice, symbols, speak)


def windows(latents: np.ndarray, context: int, decode) -> list[np.ndarray]:
    """latents (1, C, T_spec) -> the samples of each window, decoded with its context, which is cut off."""
    frames, pieces = latents.shape[-1], []
    for start in range(0, frames, WINDOW_FRAMES):
        end = min(start + WINDOW_FRAMES, frames)
        left, right = max(0, start - context), min(frames, end + context)
        samples = decode(latents[..., left:right])
        hop = samples.shape[-1] // (right - left)
        pieces.append(samples[..., hop * (start - left) : hop * (end - left)])
    return pieces
