"""Monotonic alignment search: the token of each frame as an index, never a dense matrix (paper, section 2.2.1)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hf_vits.modules.sampling import Generators


@torch.no_grad()
def log_likelihood(latents: Tensor, prior_mean: Tensor, prior_log_std: Tensor) -> Tensor:
    """latents (B, C, T_spec), prior (B, C, T_text) -> (B, T_spec, T_text): log-density of each frame under each token.

    The square is multiplied out, so that the sum over channels is two matrix products; in float32 under autocast too,
    as their difference would be lost in half precision.
    """
    latents, mean, log_std = latents.float(), prior_mean.float(), prior_log_std.float()
    precision = torch.exp(-2 * log_std)
    constant = -(0.5 * math.log(2 * math.pi) + log_std + 0.5 * mean.square() * precision).sum(dim=1, keepdim=True)
    frames = torch.cat([latents, -0.5 * latents.square()], dim=1).transpose(1, 2)
    with torch.autocast(latents.device.type, enabled=False):
        return torch.baddbmm(constant, frames, torch.cat([mean * precision, precision], dim=1))


@torch.no_grad()
def with_noise(
    scores: Tensor, text_lengths: Tensor, frame_lengths: Tensor, scale: float, generator: Generators = None
) -> Tensor:
    """scores (B, T_spec, T_text), lengths int64 (B,) -> scores plus normal noise, `scale` times the standard deviation
    of an item's scores (VITS2, section 2.2); the search then finds other alignments too. At a scale of 0, nothing is
    drawn.

    The deviation is that of each item's own cells, so that it does not depend on the batch.
    """
    if scale == 0:
        return scores
    noisy, sources = scores.clone(), generator if isinstance(generator, Sequence) else [generator] * len(scores)
    for item, source, frames, tokens in zip(noisy, sources, frame_lengths.tolist(), text_lengths.tolist(), strict=True):
        own = item[:frames, :tokens]
        device = source.device if source else own.device
        noise = torch.randn(frames, tokens, generator=source, device=device).to(own)
        own += scale * own.std(correction=0) * noise
    return noisy


@torch.no_grad()
def monotonic_alignment_search(scores: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """scores (B, T_spec, T_text), lengths int64 (B,) -> int64 (B, T_spec): the most likely monotonic alignment.

    Every token has at least one frame, in order; frames past an item's end repeat its last token. Scores outside of an
    item's lengths, and those on no possible alignment, are ignored; -inf forbids a token at a frame.

    Raises:
        ValueError: if an item has no token, fewer frames than tokens, or more of either than it has scores; if there is
            not one length of each kind per item; or if an item's scores are NaN or +inf, or forbid every alignment.
    """
    index, found = search_where_finite(scores, text_lengths, frame_lengths)
    if not found.all():
        raise ValueError(
            f"Items {(~found).nonzero().flatten().tolist()} have scores that are not finite, so that none of their "
            "alignments is the most likely one. Look for NaN or overflow where the scores come from."
        )
    return index


@torch.no_grad()
def search_where_finite(scores: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> tuple[Tensor, Tensor]:
    """
    Do as [`monotonic_alignment_search`], and return also found, bool (B,): false for an item whose scores are not
    finite, or forbid every alignment. Its tokens have equally many frames, to one, in place of a most likely alignment.
    """
    import numba

    from hf_vits.modules.alignment_numba import best_paths

    items, frames, tokens = scores.shape
    if text_lengths.shape != (items,) or frame_lengths.shape != (items,):
        raise ValueError(
            f"Scores {tuple(scores.shape)} are of {items} items, and the lengths of tokens {tuple(text_lengths.shape)} "
            f"and frames {tuple(frame_lengths.shape)}; give one length of each kind per item."
        )
    text_lengths, frame_lengths = text_lengths.cpu(), frame_lengths.cpu()
    short = (frame_lengths < text_lengths) | (text_lengths < 1)
    _refuse(short, text_lengths, frame_lengths, "each token needs a frame of its own. Leave such clips out.")
    past = (text_lengths > tokens) | (frame_lengths > frames)
    _refuse(past, text_lengths, frame_lengths, f"the scores are of {tokens} tokens and {frames} frames.")
    index, found = torch.empty(items, frames, dtype=torch.long), torch.empty(items, dtype=torch.bool)
    host = scores.detach().to("cpu", torch.float32).contiguous()
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    best_paths(host.numpy(), text_lengths.numpy(), frame_lengths.numpy(), index.numpy(), found.numpy())
    if torch.get_num_threads() != threads:  # starting numba's OpenMP gives the whole process as many as there are cores
        torch.set_num_threads(threads)
    return index.to(scores.device), found.to(scores.device)


def _refuse(wrong: Tensor, text_lengths: Tensor, frame_lengths: Tensor, why: str) -> None:
    """wrong bool (B,), lengths (B,) -> an error that names the items that are wrong, if any is."""
    if items := wrong.nonzero().flatten().tolist():
        lengths = list(zip(text_lengths[items].tolist(), frame_lengths[items].tolist(), strict=True))
        raise ValueError(f"Items {items} have (tokens, frames) {lengths}; {why}")
