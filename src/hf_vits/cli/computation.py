"""Describe how PyTorch computes a voice on this processor, and why, for `hf-vits info`."""

import os
from collections import Counter
from collections.abc import Iterable

from hf_vits.utils.processor import bf16_units

FORMS = {
    "spectrum": "in the frequency domain",
    "filtered": "by minimal filtering",
    "packed": "as products of oneDNN",
    "product": "as products of MKL",
    "depthwise": "tap by tap",
    "single": "of all taps in one product",
    "direct": "direct",
}
"""How convolutions are computed, by the names of `hf_vits.kernels.conv1d`."""


def computation() -> dict[str, str]:
    """Return how voices are computed here, by name: threads, precision, convolutions and matrix products."""
    is_set, units = bool(os.environ.get("OMP_NUM_THREADS")), bf16_units()
    half = f"faster than float32, by {', '.join(units)}: --dtype bfloat16 decodes so, with direct convolutions"
    table = {
        "threads of a call": "all, as OMP_NUM_THREADS is set" if is_set else "one for each free core",
        "bfloat16": half if units else "slower than float32, which is used: this processor has no units for it",
    }
    if off := kernels_off():
        return {**table, "convolutions": f"direct, because {off}"}
    from hf_vits.kernels import fft_conv, products, winograd

    def shapes(fewest: Iterable[tuple[int, int]]) -> str:
        return " and ".join(f"{taps} taps from {channels} channels" for taps, channels in sorted(fewest))

    least, by_onednn = products.FEWEST_CHANNELS, products.prefers_onednn()
    return {
        **table,
        "convolutions": (
            f"{shapes(fft_conv.FEWEST_CHANNELS)} in the frequency domain, {shapes(winograd.FEWEST_CHANNELS.items())} "
            "by minimal filtering, as both multiply less; others direct"
        ),
        "matrix products": f"oneDNN from {least} channels, where MKL would use AVX2 alone" if by_onednn else "MKL",
    }


def kernels_off() -> str:
    """Return why every layer is computed in its plain form; empty if faster forms are used."""
    from hf_vits.utils.torch_state import HAS_KERNELS, find

    if not HAS_KERNELS:
        return "hf_vits.kernels is not installed"
    kernels = find("hf_vits.kernels")
    return "" if kernels.enabled else f"{kernels.VARIABLE} is 0"


def convolutions(voice: str) -> dict[str, str]:
    """Return how many convolutions of a voice are computed in which form, for each part that speaks."""
    import torch

    from hf_vits.configuration_vits import VitsConfig
    from hf_vits.conversion.resolve import resolve_voice
    from hf_vits.modeling_vits import VitsModel
    from hf_vits.modules.convolution import Conv, Upsample
    from hf_vits.utils.torch_state import find

    config = VitsConfig.from_pretrained(resolve_voice(voice))
    config.inference_only = True
    with torch.device("meta"):
        model = VitsModel(config)
    form, forms = None if kernels_off() else find("hf_vits.kernels.conv1d").form, {}
    for name, part in model.named_children():
        layers = [layer for layer in part.modules() if isinstance(layer, Conv | Upsample)]
        names = [form(layer).name if form and isinstance(layer, Conv) else "direct" for layer in layers]
        if names:
            forms[name.replace("_", " ")] = " + ".join(f"{n} {FORMS[one]}" for one, n in Counter(names).most_common())
    return forms
