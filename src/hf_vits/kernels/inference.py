"""Inference on a CPU: take free cores, pad to few lengths, and decode in chunks.

A CPU library makes and keeps kernels for each length that it meets; and what the layers of a decoder pass to each other
stays in a processor's cache if the signal is short.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.utils.free_cores import on_free_cores
from hf_vits.utils.torch_state import is_inference

SAMPLES = 2**13
"""Largest chunk for each thread, in samples: 1 MiB of 32 channels in float32, as in a decoder's last stage. Smaller
chunks take less memory and more time: each computes its context again, and threads wait for each other after each
operation."""

Stage = Callable[[Tensor, int], Tensor]
"""From a signal (B, C, T), and the place where it ends, to a signal (B, C', rate · T)."""


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
        hidden=encoding.hidden[..., :length],
        prior_mean=encoding.prior_mean[..., :length],
        prior_log_std=encoding.prior_log_std[..., :length],
        hidden_states=tuple(state[:, :length] for state in encoding.hidden_states),
        attentions=tuple(weights[:, :, :length, :length] for weights in encoding.attentions),
    )


@on_free_cores
def invert_flow(
    plain: Callable, flow: nn.Module, latents: Tensor, mask: Tensor, speaker: Tensor | None = None
) -> Tensor:
    """Compute `Flow.inverse` with more padding, and cut it off."""
    length, size = latents.shape[2], padded_length(flow, latents)
    if size == length:
        return plain(flow, latents, mask, speaker)
    return plain(flow, *_pad(size, latents, mask), speaker)[..., :length].contiguous()


@on_free_cores
def predict_durations(
    plain: Callable, predictor: nn.Module, hidden: Tensor, mask: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """Compute `DurationPredictor.forward` with more padding, and cut it off."""
    size = padded_length(predictor, hidden)
    return plain(predictor, *_pad(size, hidden, mask), *args, **kwargs)[..., : hidden.shape[2]]


@on_free_cores
def predict_noisy_durations(
    plain: Callable, predictor: nn.Module, hidden: Tensor, mask: Tensor, noise: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """Compute `StochasticDurationPredictor.forward` with more padding, and cut it off."""
    size = padded_length(predictor, hidden)
    return plain(predictor, *_pad(size, hidden, mask, noise), *args, **kwargs)[..., : hidden.shape[2]]


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


def run_chunked(function: Stage, signal: Tensor, end: int, context: int, channels: int, rate: int = 1) -> Tensor:
    """
    Return what `function` makes of a signal (B, C, T): (B, C', rate · T), right up to rate · `end`.

    Args:
        function (`Callable`):
            Computes it, without gradients and without changing its input.
        signal (`Tensor` of shape `(B, C, T)`):
            The signal to cut.
        end (`int`):
            Samples that count.
        context (`int`):
            Samples to either side on which an output depends.
        channels, rate (`int`):
            Channels of the output, and its samples for each of the input.
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
