"""Inference on a CPU: take free cores, pad to few lengths, and decode in chunks.

PyTorch shares each operation among its threads, and all wait for the slowest: one that has to wait for its core makes a
sentence of a thousand operations take several times as long as one thread alone does. So a call that speaks takes
fewer threads while other processes compute, unless somebody set their number. Training always takes the number set.

A CPU library makes and keeps kernels for each length that it meets; and what the layers of a decoder pass to each other
stays in a processor's cache if the signal is short.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.utils import threads
from hf_vits.utils.torch_state import Function, is_inference

SAMPLES = 2**13
"""Largest chunk for each thread, in samples: 1 MiB of 32 channels in float32, as in a decoder's last stage. Smaller
chunks take less memory and more time: each computes its context again, and threads wait for each other after each
operation."""

LASTS = 0.02
"""Seconds for which a look at the machine counts; one takes 0.1 ms."""

PAUSE = 0.0002
"""Seconds between two looks that must agree, because the system's own short tasks count too."""

PROC = Path("/proc")
"""Where Linux tells of the machine's processes."""

_lock = threading.Lock()
_running: set[int] = set()
_most = 1
_last_look = (float("-inf"), 0)


def on_free_cores(kernel: Function) -> Function:
    """Decorate a kernel of a plain function, a module and a signal: on a CPU, without gradients, it computes with the
    threads whose cores are free."""

    @wraps(kernel)
    def run(plain: Callable, module: nn.Module, signal: Tensor, *args: Any, **kwargs: Any) -> Any:
        caller = threading.get_ident()
        is_settled = threads.number_is_set or caller in _running
        is_free = not is_settled and signal.device.type == "cpu" and is_inference(module)
        if not is_free or torch.get_num_threads() == 1 and not _running:
            return kernel(plain, module, signal, *args, **kwargs)
        before, calls = _begin(caller)
        try:
            free = (os.cpu_count() or 1) - busy_cores()
            torch.set_num_threads(max(1, min(before, free // calls)))
            return kernel(plain, module, signal, *args, **kwargs)
        finally:
            with _lock:
                _running.discard(caller)
            torch.set_num_threads(before)

    return run


def _begin(caller: int) -> tuple[int, int]:
    """Return the threads to come back to after a call, and the calls that run now. PyTorch gives a new thread the
    number that was set last, so what counts is the number from before the first of these calls."""
    global _most
    with _lock:
        if not _running:
            _most = torch.get_num_threads()
        _running.add(caller)
        return _most, len(_running)


def busy_cores() -> int:
    """Return the number of cores on which other processes compute; 0 where the system does not tell (not Linux)."""
    global _last_look
    now = time.monotonic()
    if now - _last_look[0] > LASTS:
        busy = _other_threads()
        if busy:
            time.sleep(PAUSE)
            busy = min(busy, _other_threads())
        _last_look = now, busy
    return _last_look[1]


def _other_threads() -> int:
    """Return the threads of other processes that compute or wait for a core."""
    try:
        running = int((PROC / "loadavg").read_text().split()[3].partition("/")[0])
        own = sum(map(_computes, (PROC / "self" / "task").iterdir()))
    except (OSError, ValueError, IndexError):
        return 0
    return max(0, running - own)


def _computes(task: Path) -> bool:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0] == "R"
    except OSError:  # it has ended
        return False


def padded_length(layer: nn.Module, signal: Tensor) -> int:
    """signal (…, T) -> the length to compute with: 16 lengths between powers of two, of 8 samples at least."""
    length = signal.shape[-1]
    if signal.device.type != "cpu" or not is_inference(layer):
        return length
    step = max(8, 1 << max(0, length.bit_length() - 5))
    return -(-length // step) * step


def _pad(size: int, *signals: Tensor) -> list[Tensor]:
    return [F.pad(signal, (0, size - signal.shape[-1])) for signal in signals]


@on_free_cores
def encode_text(plain: Callable, encoder: nn.Module, input_ids: Tensor, mask: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Compute `TextEncoder.forward` with more padding, and cut it off."""
    length, size = input_ids.shape[1], padded_length(encoder, input_ids)
    if size == length:
        return plain(encoder, input_ids, mask, *args, **kwargs)
    encoding = plain(encoder, *_pad(size, input_ids, mask), *args, **kwargs)
    return replace(
        encoding,
        **{name: getattr(encoding, name)[..., :length] for name in ("hidden", "prior_mean", "prior_log_std")},
        hidden_states=tuple(state[:, :length] for state in encoding.hidden_states),
        attentions=tuple(weights[:, :, :length, :length] for weights in encoding.attentions),
    )


def _padding(signals: int) -> Callable:
    """Return a kernel that pads the first `signals` arguments of a function, (…, T), and cuts its output."""

    @on_free_cores
    def compute(plain: Callable, module: nn.Module, signal: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        length, size = signal.shape[-1], padded_length(module, signal)
        if size == length:
            return plain(module, signal, *args, **kwargs)
        padded = _pad(size, signal, *args[: signals - 1])
        return plain(module, *padded, *args[signals - 1 :], **kwargs)[..., :length].contiguous()

    return compute


invert_flow = predict_durations = _padding(2)  # a signal and its mask
predict_noisy_durations = _padding(3)  # a signal, its mask and noise


@on_free_cores
def decode(
    plain: Callable,
    decoder: nn.Module,
    latents: Tensor,
    speaker: Tensor | None = None,
    frame_lengths: Tensor | None = None,
) -> Tensor:
    """Compute the stages of `HifiGan`, one after the other, each in chunks."""
    if frame_lengths is not None or latents.device.type != "cpu" or not is_inference(decoder):
        return plain(decoder, latents, speaker, frame_lengths)
    end = latents.shape[-1]
    signal = F.pad(latents, (0, padded_length(decoder, latents) - end))
    condition = None if speaker is None else decoder.cond(speaker)
    last = len(decoder.upsampler) - 1
    for stage, upsample in enumerate(decoder.upsampler):
        rate = upsample.stride[0]

        def compute(chunk: Tensor, end: int, stage: int = stage, rate: int = rate) -> Tensor:
            chunk = decoder.upsample(stage, chunk, condition, end)
            chunk = decoder.residual_blocks(stage, chunk, rate * end)
            return decoder.finish(chunk, rate * end) if stage == last else chunk

        channels = decoder.output_channels if stage == last else upsample.out_channels
        signal = run_chunked(compute, signal, end, decoder.stage_context(stage), channels, rate)
        end *= rate
    return signal[..., :end]


def run_chunked(function: Callable, signal: Tensor, end: int, context: int, channels: int, rate: int = 1) -> Tensor:
    """Return what `function` makes of a signal (B, C, T), (B, channels, rate · T), right up to rate · `end`.

    `function` takes a part of the signal, which it does not change, and the place where the signal ends in it. Outputs
    depend on `context` samples to either side.
    """
    length = signal.shape[-1]
    chunks = -(-len(signal) * rate * length // (SAMPLES * torch.get_num_threads()))
    size = -(-length // max(1, chunks))
    if size == length:
        return function(signal, end)
    # All chunks have one length, also at the ends: a CPU makes kernels for each length.
    sides = 1 if 2 * size >= length else 2
    window = min(length, size + sides * context)
    result = signal.new_empty(len(signal), rate * length, channels).transpose(1, 2)
    for start in range(0, end, size):
        left = min(max(0, start - context), length - window)
        chunk = function(signal[..., left : left + window], end - left)[..., rate * (start - left) :]
        result[..., rate * start : rate * (start + size)] = chunk[..., : rate * size]
    return result
