"""How many frames each token lasts, and whether that is speech of a sensible length."""

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig
from hf_vits.kernels.weight_cache import prepared_length
from hf_vits.modules.duration_predictor import DurationPredictor, StochasticDurationPredictor
from hf_vits.modules.masks import extents
from hf_vits.modules.sampling import Generators, duration_noise
from hf_vits.utils.torch_state import is_traced

MOST_FRAMES = 2**15
"""Of one item of a call: 6 minutes at 22,050 Hz and 256 samples a frame. The decoder takes 60 kB for each, so 2 GB."""

MOST_FRAMES_OF_CALL = 2**18
"""Of all items of a call, each as long as the longest. The flow takes about 20 kB for each, so 5 GB."""


@torch.no_grad()
def predicted_durations(
    predictor: StochasticDurationPredictor | DurationPredictor,
    hidden: Tensor,
    mask: Tensor,
    speaker: Tensor | None,
    noise_scale: Tensor,
    rate: Tensor,
    generator: Generators,
    language: Tensor | None = None,
) -> Tensor:
    """hidden (B, H, T_text), mask (B, 1, T_text) -> frames of each token int64 (B, T_text), one at least of an item.

    Raises:
        ValueError: if they are not finite.
    """
    size = mask.shape[2]
    more = (0, prepared_length(predictor, hidden) - size)
    padded, padded_mask = F.pad(hidden, more), F.pad(mask, more)
    if isinstance(predictor, StochasticDurationPredictor):
        noise = duration_noise(mask.shape[0], extents(mask), size, generator).to(mask)
        log_durations = predictor(padded, padded_mask, F.pad(noise * noise_scale, more), speaker, language)
    else:
        log_durations = predictor(padded, padded_mask, speaker, language)
    slowness = (1 / rate).to(mask.dtype)
    frames = torch.ceil(log_durations[..., :size].exp() * mask * slowness).squeeze(1)
    if not is_traced() and not torch.isfinite(frames).all():
        raise ValueError(
            "The predicted durations are not finite: the weights are damaged or overflow their dtype, "
            "`speaking_rate` is too small, or `noise_scale_duration` too large."
        )
    frames = frames.double().clamp(max=2**31)  # half precision cannot count frames
    first = mask.squeeze(1).argmax(dim=1, keepdim=True)  # an item lasts a frame at least
    return frames.long().scatter_add(1, first, (frames.sum(dim=1, keepdim=True) == 0).long())


def frames_of(durations: Tensor, config: VitsConfig) -> Tensor:
    """durations int64 (B, T_text) -> frames of each item int64 (B,).

    Raises:
        ValueError: beyond `MOST_FRAMES` of an item, or `MOST_FRAMES_OF_CALL` of all.
    """
    frame_lengths = durations.sum(dim=1)
    if is_traced():
        return frame_lengths
    longest, per_frame = frame_lengths.max().item(), config.hop_length / config.sampling_rate
    if longest > MOST_FRAMES:
        raise ValueError(
            f"The speech would last {longest * per_frame:.0f} s, which is {longest:,} frames; a call makes at most "
            f"{MOST_FRAMES:,} frames of a text, {MOST_FRAMES * per_frame:.0f} s. Raise `speaking_rate`, check "
            "`durations`, or speak sentence by sentence."
        )
    if len(durations) * longest > MOST_FRAMES_OF_CALL:
        raise ValueError(
            f"The {len(durations)} texts would last up to {longest:,} frames each; a call makes at most "
            f"{MOST_FRAMES_OF_CALL:,} frames of all texts, each as long as the longest. Give fewer texts at once."
        )
    return frame_lengths
