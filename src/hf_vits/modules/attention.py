"""Multi-head attention with learned embeddings for the nearest relative positions (Shaw et al. 2018)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig


class RelativeAttention(nn.Module):
    """Self-attention in which keys and values know how far they are from the query, up to `window_size` tokens."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        size, self.heads, self.window = config.text_size, config.num_attention_heads, config.window_size
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
            near, inside = self._near(query)
            scores.scatter_add_(-1, near, (query @ self.emb_rel_k.transpose(-2, -1)).to(scores.dtype) * inside)
        padding = torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(mask == 0, torch.finfo(scores.dtype).min)
        weights = scores.add_(padding.unsqueeze(1)).softmax(dim=-1)
        dropped = F.dropout(weights, self.dropout, self.training)
        mixed = dropped @ value
        if self.window:
            mixed = mixed + (dropped.gather(-1, near) * inside) @ self.emb_rel_v
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), weights

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, self.head_size).transpose(1, 2)  # (B, heads, T, head_size)

    def _near(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """query (B, heads, T, D) -> the key at each near distance, int64 (B, heads, T, 2 · window + 1), and whether it
        exists, bool (T, 2 · window + 1); one that does not is replaced by the nearest that does."""
        batch, heads, size, _ = query.shape
        slots = torch.arange(-self.window, self.window + 1, device=query.device)
        key = torch.arange(size, device=query.device)[:, None] + slots
        return key.clamp(0, size - 1).expand(batch, heads, -1, -1), (key >= 0) & (key < size)
