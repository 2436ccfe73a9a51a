"""A stack of gated dilated convolutions, conditioned on a speaker (van den Oord et al. 2016)."""

from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.modules.weight_norm import add_weight_norm


class WaveNet(GradientCheckpointingLayer):
    """Sum the skip outputs of gated layers, each of which adds its residual output to the input of the next."""

    def __init__(self, config: VitsConfig, num_layers: int):
        super().__init__()
        size, kernel = config.hidden_size, config.wavenet_kernel_size
        self.in_layers, self.res_skip_layers = nn.ModuleList(), nn.ModuleList()
        self.dropout = nn.Dropout(config.wavenet_dropout)
        if config.speaker_embedding_size:
            self.cond_layer = nn.Conv1d(config.speaker_embedding_size, 2 * size * num_layers, 1)
        for layer in range(num_layers):
            self.in_layers.append(Conv(size, 2 * size, kernel, config.wavenet_dilation_rate**layer))
            is_last = layer == num_layers - 1  # has no residual output
            self.res_skip_layers.append(Conv(size, size if is_last else 2 * size, 1))
        add_weight_norm(self)

    @property
    def context(self) -> int:
        """Frames to either side of a frame that are mixed into it."""
        return sum(layer.dilation[0] * (layer.kernel_size[0] - 1) // 2 for layer in self.in_layers)

    def forward(self, hidden: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T), speaker (B, S, 1) -> (B, H, T)."""
        biases = [None] * len(self.in_layers)
        if speaker is not None:
            biases = self.cond_layer(speaker).chunk(len(self.in_layers), dim=1)
        total = 0
        for in_layer, res_skip, bias in zip(self.in_layers, self.res_skip_layers, biases, strict=True):
            inner = in_layer(hidden) if bias is None else in_layer(hidden) + bias
            content, gate = inner.chunk(2, dim=1)
            skip = res_skip(self.dropout(content.tanh() * gate.sigmoid()))
            if skip.shape[1] > hidden.shape[1]:  # all but the last layer
                residual, skip = skip.chunk(2, dim=1)
                hidden = (hidden + residual) * mask
            total = total + skip
        return total * mask
