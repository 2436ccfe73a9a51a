"""Tokens to hidden states and the prior's statistics (paper, section 2.5.1, text encoder); VITS2's flow has such
layers of attention too."""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.utils.torch_state import has_kernel


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of layers; the names are those of [`VitsConfig`], and `size` is the number of channels."""

    size: int
    num_hidden_layers: int
    num_attention_heads: int
    ffn_dim: int
    ffn_kernel_size: int
    window_size: int | None = None
    use_bias: bool = True
    hidden_act: str = "relu"
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.1
    layer_norm_eps: float = 1e-5

    @classmethod
    def of_text(cls, config: VitsConfig) -> "TransformerConfig":
        """Return that of a model's text encoder."""
        return cls(config.text_size, *(getattr(config, field.name) for field in fields(cls)[1:]))

    @classmethod
    def of_flow(cls, config: VitsConfig) -> "TransformerConfig":
        """Return that of a coupling of a model's flow."""
        own, half = config.flow_config, config.flow_size // 2
        return cls(
            half,
            own.transformer_layers,
            own.transformer_heads,
            half if own.transformer_ffn_dim is None else own.transformer_ffn_dim,
            own.transformer_kernel_size,
            hidden_dropout=own.transformer_dropout,
            attention_dropout=own.transformer_dropout,
            activation_dropout=own.transformer_dropout,
        )


class RelativeAttention(nn.Module):
    """Self-attention with learned embeddings of relative positions up to `window_size` tokens (Shaw et al. 2018)."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        size, self.heads, self.window = config.size, config.num_attention_heads, config.window_size
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


class FeedForward(nn.Module):
    """Two convolutions along the text, with zeros outside of it."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        kernel = config.ffn_kernel_size
        self.conv_1 = Conv(config.size, config.ffn_dim, kernel)
        self.conv_2 = Conv(config.ffn_dim, config.size, kernel)
        self.activation = ACT2FN[config.hidden_act]
        self.dropout = nn.Dropout(config.activation_dropout)
        self.extra = 1 - kernel % 2  # an even kernel covers one token more to the right

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T) -> (B, H, T)."""
        inner = self.activation(self.conv_1(self._padded(hidden * mask)))
        return self.conv_2(self._padded(self.dropout(inner) * mask)) * mask

    def _padded(self, signal: Tensor) -> Tensor:
        return F.pad(signal, (0, self.extra)) if self.extra else signal


class EncoderLayer(GradientCheckpointingLayer):
    """Apply attention, then feed-forward; add each to its input and normalize after."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.attention = RelativeAttention(config)
        self.dropout = nn.Dropout(config.hidden_dropout)
        self.layer_norm = nn.LayerNorm(config.size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.size, eps=config.layer_norm_eps)

    def forward(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """hidden (B, T, H), mask (B, 1, T) -> (B, T, H) and attention weights (B, heads, T, T)."""
        attended, weights = self.attention(hidden, mask)
        hidden = self.layer_norm(hidden + self.dropout(attended))
        output = self.feed_forward(hidden.transpose(1, 2), mask).transpose(1, 2)
        return self.final_layer_norm(hidden + self.dropout(output)), weights


class Transformer(nn.Module):
    """The stack of layers."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.layers = nn.ModuleList([EncoderLayer(config) for _ in range(config.num_hidden_layers)])

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T) -> (B, H, T)."""
        hidden = (hidden * mask).transpose(1, 2)
        for layer in self.layers:
            hidden, _ = layer(hidden, mask)
        return hidden.transpose(1, 2) * mask


@dataclass
class TextEncoding:
    """Output of the text encoder: hidden (B, H, T_text), prior mean and log std (B, C, T_text)."""

    hidden: Tensor
    prior_mean: Tensor
    prior_log_std: Tensor
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]


class TextEncoder(nn.Module):
    """Embed tokens, relate them to each other, and project to the mean and log std of the prior."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        # No padding index: where the blank or a letter serves as padding, its row must learn like any other.
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        nn.init.normal_(self.embed_tokens.weight, std=config.hidden_size**-0.5)
        self.encoder = Transformer(TransformerConfig.of_text(config))
        self.speaker_layer = config.text_encoder_config.speaker_layer
        if self.speaker_layer is not None:
            self.cond = nn.Conv1d(config.speaker_embedding_size, config.text_size, 1)
        self.project = nn.Conv1d(config.text_size, 2 * config.flow_size, 1)
        self.scale = math.sqrt(config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout)

    @has_kernel("inference", "encode_text", gradients=False)
    def forward(
        self,
        input_ids: Tensor,
        mask: Tensor,
        keep_states: bool = False,
        language: Tensor | None = None,
        speaker: Tensor | None = None,
    ) -> TextEncoding:
        """input_ids (B, T_text), mask (B, 1, T_text), language (B, L, 1), speaker (B, S, 1) -> TextEncoding.

        The speaker is ignored without `speaker_layer`. The inputs and attention weights of all layers are kept only
        with `keep_states`.
        """
        column_mask = mask.transpose(1, 2)
        hidden = self.embed_tokens(input_ids) * self.scale
        if language is not None:
            hidden = torch.cat([hidden, language.transpose(1, 2).expand(-1, hidden.shape[1], -1)], dim=-1)
        hidden = self.dropout(hidden * column_mask)
        states, attentions = [], []
        for number, layer in enumerate(self.encoder.layers):
            if number == self.speaker_layer and speaker is not None:
                hidden = (hidden + self.cond(speaker).transpose(1, 2)) * column_mask  # VITS2, section 2.4
            states = [*states, hidden] if keep_states else states
            hidden, weights = layer(hidden, mask)
            attentions = [*attentions, weights] if keep_states else attentions
        hidden = hidden * column_mask
        states.append(hidden)
        hidden = hidden.transpose(1, 2)
        prior_mean, prior_log_std = (self.project(hidden) * mask).chunk(2, dim=1)
        return TextEncoding(hidden, prior_mean, prior_log_std, tuple(states) if keep_states else (), tuple(attentions))
