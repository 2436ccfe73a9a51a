"""Compare exported graphs with PyTorch: random texts without noise, single and batched, of several speakers."""

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
"""A function from an item and its number of frames to its samples."""

TEXT_LENGTHS = (1, 9, 40)

MAX_ERROR = 1e-3
"""Largest difference of samples within ±1, in float32."""

MIN_CORRELATION = 0.9
"""Least correlation of log spectra in other precisions; unrelated speech has half of that."""

MAX_DURATION_ERROR = {"float32": 0.002, "float16": 0.02, "int8": 0.1}
"""Share of all frames by which durations may differ: they are rounded up, so the least difference may add a frame."""

WINDOW = 256
"""Samples of a window of the spectrum."""


@dataclass
class Parity:
    """Accumulate over texts the largest difference of samples, the least correlation of spectra, and frames."""

    precision: str
    error: float = 0.0
    correlation: float = 1.0
    frames: int = 0
    other_frames: int = 0
    texts: int = 0

    def add(self, actual: np.ndarray, expected: Tensor) -> None:
        """Compare a waveform, or a part of one, with PyTorch's; another length counts as an infinite difference."""
        actual = torch.from_numpy(actual).reshape(-1)
        expected = expected.detach().reshape(-1)
        if actual.shape != expected.shape:
            self.error = float("inf")
            return
        error = (actual - expected).abs().max().item()
        self.error = error if np.isnan(error) else max(self.error, error)
        self.correlation = min(self.correlation, _correlation(actual, expected))

    def add_durations(self, actual: np.ndarray, expected: Tensor) -> None:
        """Compare the frames of tokens with those that PyTorch predicts."""
        self.frames += int(expected.sum())
        self.other_frames += int((torch.from_numpy(actual) - expected).abs().sum())

    @property
    def is_good(self) -> bool:
        """True if everything is within the bounds; NaN is not."""
        limit = MAX_ERROR if self.precision == "float32" else sys.float_info.max
        is_close = self.error <= limit and (self.precision == "float32" or self.correlation >= MIN_CORRELATION)
        return is_close and self.other_frames <= max(1, MAX_DURATION_ERROR[self.precision] * self.frames)

    def __str__(self) -> str:
        lengths = f"{self.other_frames} of {self.frames} frames of durations differ"
        return (
            f"{self.texts} texts against PyTorch, without noise: samples differ by {self.error:.1e} at most, spectra "
            f"correlate to {self.correlation:.4f}, {lengths}."
        )


@torch.no_grad()
def verify_whole(voice: Voice, token_ids: Sequence[int], graph: bytes) -> str:
    """
    Run a graph of `export.graph.OnnxVits` in onnxruntime and compare it with PyTorch.

    Args:
        voice (`Voice`):
            The exported model.
        token_ids (`Sequence[int]`):
            Ids that texts may contain.
        graph (`bytes`):
            The file.

    Returns:
        `str`: a note on how close it is.

    Raises:
        ImportError: without the package onnxruntime.
        ValueError: if it is not close enough.
    """
    run = runner(graph)

    def speak(feed: Feed) -> tuple[np.ndarray, Waveform]:
        waveforms, durations = run(feed)
        hop = voice.model.config.hop_length
        return durations, lambda item, frames: waveforms[item, 0, 0, : frames * hop]

    return compared(voice, token_ids, speak)


def compared(voice: Voice, token_ids: Sequence[int], run: Callable[[Feed], tuple[np.ndarray, Waveform]]) -> str:
    """
    Run random texts in a runtime and compare it with PyTorch; result and errors are those of `verify_whole`.

    `run` returns for inputs the durations (B, T_text), and a function from an item and its frames to its samples.
    """
    model, parity = inference_copy(voice.model), Parity(voice.precision)
    language = model.language_vector(voice.language, 1)
    for feed, speakers in feeds(model, token_ids):
        durations, waveform = run(feed)
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
    return checked(parity)


def checked(parity: Parity) -> str:
    """Return the comparison as a note; raise `ValueError` if it is out of bounds."""
    if parity.is_good:
        return str(parity)
    bound = f"samples {MAX_ERROR}" if parity.precision == "float32" else f"a correlation of {MIN_CORRELATION}"
    smaller = ", or too different in size for this precision: try float32" if parity.precision != "float32" else ""
    raise ValueError(
        f"The output of the exported model differs from PyTorch's, and was not kept. {parity} Allowed in "
        f"{parity.precision} are {bound}, and {MAX_DURATION_ERROR[parity.precision]:.1%} of the frames. Its "
        f"weights may be damaged{smaller}."
    )


def feeds(model: VitsModel, token_ids: Sequence[int]) -> Iterator[tuple[Feed, list[int] | None]]:
    """Yield inputs and their speakers: single texts, then all as a padded batch with a slower speaking rate."""
    random, count = np.random.default_rng(0), model.config.num_speakers
    texts = [random.choice(np.array(token_ids, dtype=np.int64), length) for length in TEXT_LENGTHS]
    speakers = [(0, count - 1)[number % 2] for number in range(len(texts))]

    def feed(chosen: list[int], length_scale: float):
        size = max(len(texts[number]) for number in chosen)
        inputs = {
            "input": np.stack([np.pad(texts[number], (0, size - len(texts[number]))) for number in chosen]),
            "input_lengths": np.array([len(texts[number]) for number in chosen], dtype=np.int64),
            "scales": np.array([0, length_scale, 0], dtype=np.float32),
        }
        who = [speakers[number] for number in chosen] if count > 1 else None
        return inputs | ({} if who is None else {"sid": np.array(who, dtype=np.int64)}), who

    for number in range(len(texts)):
        yield feed([number], 1.0)
    yield feed(list(range(len(texts))), 1.25)


def runner(graph: bytes) -> Callable[[Feed], list[np.ndarray]]:
    """Return a function from inputs by name to the list of outputs of a file; raise `ValueError` if it cannot run."""
    onnxruntime = needed("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the machine may have other work
    options.log_severity_level = 4  # errors are reported once, below

    def run(feed: Feed) -> list[np.ndarray]:
        with _runtime_errors():
            return session.run(None, feed)

    with _runtime_errors():
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return run


@contextmanager
def _runtime_errors() -> Iterator[None]:
    """Raise errors of onnxruntime, which have no common class, as `ValueError`."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"onnxruntime cannot run the exported model, which was not kept: {error}") from error


def _correlation(actual: Tensor, expected: Tensor) -> float:
    """Return the correlation of two waveforms' log spectra, -1 to 1."""
    spectra = []
    for waveform in (actual, expected):
        padded = torch.nn.functional.pad(waveform.float(), (0, max(0, WINDOW - len(waveform))))
        spectrum = torch.stft(padded, WINDOW, window=torch.hann_window(WINDOW), return_complex=True).abs()
        spectra.append(spectrum.clamp(min=1e-4).log().flatten())
    return torch.corrcoef(torch.stack(spectra))[0, 1].item()


WINDOW_FRAMES = 16
"""Frames of a window without its context; every text but the shortest has several."""


@torch.no_grad()
def verify_split(voice: Voice, token_ids: Sequence[int], first: bytes, second: bytes, context: int) -> str:
    """Run both graphs as for streaming; arguments, result and errors are those of `verify_whole`."""
    run_first, run_second = runner(first), runner(second)

    def speak(feed: Feed) -> tuple[np.ndarray, Waveform]:
        latents, durations = run_first(feed)

        def waveform(item: int, frames: int) -> np.ndarray:
            sid = {"sid": feed["sid"][item : item + 1]} if "sid" in feed else {}
            own = latents[item : item + 1, :, :frames]
            chunks = windows(own, context, lambda window: run_second({"latents": window, **sid})[0])
            return np.concatenate(chunks, axis=-1)

        return durations, waveform

    return compared(voice, token_ids, speak)


def windows(latents: np.ndarray, context: int, decode) -> list[np.ndarray]:
    """latents (1, C, T_spec) -> the samples of each window, decoded with context that is cut off."""
    frames, chunks = latents.shape[-1], []
    for start in range(0, frames, WINDOW_FRAMES):
        end = min(start + WINDOW_FRAMES, frames)
        left, right = max(0, start - context), min(frames, end + context)
        samples = decode(latents[..., left:right])
        hop = samples.shape[-1] // (right - left)
        chunks.append(samples[..., hop * (start - left) : hop * (end - left)])
    return chunks
