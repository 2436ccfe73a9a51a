"""Multi-head attention with learned embeddings for the nearest relative positions (Shaw et al. 2018)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig


class RelativeAttention(nn.Module):
    """Self-attention in which keys and values know how far they are from the query, up to `window_size` tokens."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        size, self.heads, self.window = config.hidden_size, config.num_attention_heads, config.window_size
        self.head_size = size // self.heads
        self.dropout = config.attention_dropout
        self.q_proj = nn.Linear(size, size, bias=config.use_bias)
        self.k_proj = nn.Linear(size, size, bias=config.use_bias)
        self.v_proj = nn.Linear(size, size, bias=config.use_bias)
        self.out_proj = nn.Linear(size, size, bias=config.use_bias)
        for projection in (self.q_proj, self.k_proj, self.v_proj):
            nn.init.xavier_uniform_(projection.weight)
        if self.window:
            # Checkpoint keys: one table per layer, shared by its heads.
            self.emb_rel_k = nn.Parameter(torch.randn(1, 2 * self.window + 1, self.head_size) * self.head_size**-0.5)
            self.emb_rel_v = nn.Parameter(torch.randn(1, 2 * self.window + 1, self.head_size) * self.head_size**-0.5)

    def forward(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """hidden (B, T, H), mask (B, 1, T) -> (B, T, H) and attention weights (B, heads, T, T)."""
        query = self._split(self.q_proj(hidden)) * self.head_size**-0.5
        key, value = self._split(self.k_proj(hidden)), self._split(self.v_proj(hidden))
        scores = query @ key.transpose(-2, -1)
        if self.window:
            scores = scores + self._near_scores(query)
        scores = scores.masked_fill(mask.unsqueeze(1) == 0, torch.finfo(scores.dtype).min)
        weights = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
        mixed = weights @ value
        if self.window:
            mixed = mixed + self._near_weights(weights) @ self.emb_rel_v
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), weights

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, self.head_size)).transpose(1, 2)  # (B, heads, T, head_size)

    def _near_scores(self, query: Tensor) -> Tensor:
        """query (B, heads, T, D) -> (B, heads, T, T): the query times the embedding of each near distance, else 0."""
        positions = torch.arange(query.shape[2], device=query.device)
        distance = positions[None, :] - positions[:, None]  # key minus query
        slot = (distance + self.window).clamp(0, 2 * self.window)
        per_slot = query @ self.emb_rel_k.transpose(-2, -1)
        scores = per_slot.gather(-1, slot.expand(*per_slot.shape[:2], -1, -1))
        return scores * (distance.abs() <= self.window)

    def _near_weights(self, weights: Tensor) -> Tensor:
        """weights (B, heads, T, T) -> (B, heads, T, 2 · window + 1): the weight at each near distance."""
        size = weights.shape[-1]
        slots = torch.arange(-self.window, self.window + 1, device=weights.device)
        column = torch.arange(size, device=weights.device)[:, None] + slots
        inside = (column >= 0) & (column < size)
        return weights.gather(-1, column.clamp(0, size - 1).expand(*weights.shape[:2], -1, -1)) * inside
