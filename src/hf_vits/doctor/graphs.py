"""Graphs of ONNX, of which doctor reads the names alone: what no conversion makes a voice of again."""

from pathlib import Path

from hf_vits.export.precision import STEP
from hf_vits.files import obstacle

MOST_NAMES = 10_000_000
"""Bytes at the beginning of a file, where its operators are listed; those of a voice take a few hundred thousand."""

EIGHT_BITS = (f"weight{STEP}", "QuantizeLinear", "DequantizeLinear")
"""Names in a file whose weights were made whole numbers, by `hf-vits export` and by onnxruntime."""


def is_quantized(file: Path) -> bool:
    """Whether the weights have eight bits, from which a voice does not come back."""
    if file.suffix.lower() != ".onnx" or obstacle(file):
        return False
    with file.open("rb") as stream:
        names = stream.read(MOST_NAMES)
    return any(name.encode() in names for name in EIGHT_BITS)
