"""How much a decoder computes: the operations of its convolutions, as if each was computed directly."""

from collections.abc import Callable

import torch

from hf_vits.modules.convolution import Conv, Upsample


def gflop(run: Callable[[], object], decoder: torch.nn.Module) -> float:
    """A function that runs the decoder, and the decoder -> 10^9 operations."""
    counts = []

    def count(module, inputs, output):
        counts.append(2.0 * module.weight.numel() * (inputs[0] if isinstance(module, Upsample) else output).shape[-1])

    hooks = [part.register_forward_hook(count) for part in decoder.modules() if isinstance(part, Conv | Upsample)]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return sum(counts) / 1e9


def gflop_per_second(model) -> float:
    """A model without speakers -> 10^9 operations of its decoder for a second of speech."""
    frames = 32
    latents = torch.zeros(1, model.config.flow_size, frames)
    speech = frames * model.config.hop_length / model.config.sampling_rate
    return gflop(lambda: model.decode(latents), model.decoder) / speech
