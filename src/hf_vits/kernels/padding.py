"""Pad inference to few lengths: a CPU makes and keeps kernels for each length that it meets."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.kernels.weight_cache import is_inference


def padded_length(layer: nn.Module, signal: Tensor) -> int:
    """signal (…, T) -> the length to compute with: 16 lengths between powers of two, of 8 samples at least."""
    length = signal.shape[-1]
    if signal.device.type != "cpu" or not is_inference(layer):
        return length
    step = max(8, 1 << max(0, length.bit_length() - 5))
    return -(-length // step) * step


def _pad(size: int, *signals: Tensor) -> list[Tensor]:
    return [F.pad(signal, (0, size - signal.shape[-1])) for signal in signals]


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


def invert_flow(
    plain: Callable, flow: nn.Module, latents: Tensor, mask: Tensor, speaker: Tensor | None = None
) -> Tensor:
    """Compute `Flow.inverse` with more padding, and cut it off."""
    length, size = latents.shape[2], padded_length(flow, latents)
    if size == length:
        return plain(flow, latents, mask, speaker)
    return plain(flow, *_pad(size, latents, mask), speaker)[..., :length].contiguous()


def predict_durations(
    plain: Callable, predictor: nn.Module, hidden: Tensor, mask: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """Compute `DurationPredictor.forward` with more padding, and cut it off."""
    size = padded_length(predictor, hidden)
    return plain(predictor, *_pad(size, hidden, mask), *args, **kwargs)[..., : hidden.shape[2]]


def predict_noisy_durations(
    plain: Callable, predictor: nn.Module, hidden: Tensor, mask: Tensor, noise: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """Compute `StochasticDurationPredictor.forward` with more padding, and cut it off."""
    size = padded_length(predictor, hidden)
    return plain(predictor, *_pad(size, hidden, mask, noise), *args, **kwargs)[..., : hidden.shape[2]]
