"""Tokens to hidden states and the prior's statistics (paper, section 2.5.1, text encoder)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.kernel_lookup import has_kernel
from hf_vits.modules.transformer import Transformer, TransformerConfig


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

    @has_kernel("inference", "encode_text")
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
