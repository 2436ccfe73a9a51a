"""A stack of gated dilated convolutions that sees a speaker (van den Oord et al. 2016)."""

from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.kernels.conv1d import Conv
from hf_vits.modules.gradient_checkpointing import Recomputed
from hf_vits.modules.weight_norm import add_weight_norm


class WaveNet(Recomputed):
    """Each layer gates its input, passes a part on and leaves a part for the sum that comes out."""

    def __init__(self, config: VitsConfig, num_layers: int):
        super().__init__()
        size, kernel = config.hidden_size, config.wavenet_kernel_size
        self.in_layers, self.res_skip_layers = nn.ModuleList(), nn.ModuleList()
        self.dropout = nn.Dropout(config.wavenet_dropout)
        if config.speaker_embedding_size:
            self.cond_layer = nn.Conv1d(config.speaker_embedding_size, 2 * size * num_layers, 1)
        for layer in range(num_layers):
            self.in_layers.append(Conv(size, 2 * size, kernel, config.wavenet_dilation_rate**layer))
            last = layer == num_layers - 1  # has nothing to pass on
            self.res_skip_layers.append(Conv(size, size if last else 2 * size, 1))
        add_weight_norm(self)

    def forward(self, hidden: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """hidden (B, H, 1, T) channels last, mask (B, 1, 1, T), speaker (B, S, 1) -> (B, H, 1, T)."""
        biases = [None] * len(self.in_layers)
        if speaker is not None:
            biases = self.cond_layer(speaker).unsqueeze(2).chunk(len(self.in_layers), dim=1)
        total = 0
        for gate, res_skip, bias in zip(self.in_layers, self.res_skip_layers, biases, strict=True):
            gated = gate(hidden) if bias is None else gate(hidden) + bias
            filtered, opening = gated.chunk(2, dim=1)
            out = res_skip(self.dropout(filtered.tanh() * opening.sigmoid()))
            if out.shape[1] > hidden.shape[1]:  # all but the last layer
                passed, out = out.chunk(2, dim=1)
                hidden = (hidden + passed) * mask
            total = total + out
        return total * mask
