"""The graph that speaks, and the files around it: what the targets for runtimes share."""

from collections.abc import Mapping
from pathlib import Path

import torch

from hf_vits.configuration_vits import VitsConfig
from hf_vits.export import Voice
from hf_vits.export.graph import WholeGraph
from hf_vits.export.parity import whole_parity
from hf_vits.export.precision import with_precision
from hf_vits.export.symbols import Symbols
from hf_vits.export.tracing import Axes, needed, traced

TEXT = {0: "batch_size", 1: "phonemes"}


def write_whole(voice: Voice, symbols: Symbols, file: Path, metadata: Mapping[str, object] | None = None) -> str:
    """Traces a voice, checks it and writes it; returns how near to PyTorch it is, in words."""
    outputs = {"output": {0: "batch_size", 3: "time"}, "durations": TEXT}
    graph = traced(WholeGraph(voice.model, voice.language), text_inputs(voice.model.config), outputs)
    data = finished(graph, voice.precision, metadata)
    told = whole_parity(voice, symbols.used, data)
    file.write_bytes(data)
    return told


def text_inputs(config: VitsConfig) -> dict[str, tuple[torch.Tensor, Axes]]:
    """An example of what Piper's runtimes give: two texts of unequal length."""
    inputs = {
        "input": (torch.zeros(2, 7, dtype=torch.long), TEXT),
        "input_lengths": (torch.tensor([7, 5]), {0: "batch_size"}),
        "scales": (torch.tensor([0.667, 1.0, 0.8]), {}),
    }
    if config.num_speakers > 1:
        inputs["sid"] = (torch.zeros(2, dtype=torch.long), {0: "batch_size"})
    return inputs


def finished(graph, precision: str, metadata: Mapping[str, object] | None = None) -> bytes:
    """A traced graph -> its file, in a precision and with what runtimes read."""
    model = with_precision(graph, precision)
    model.producer_name = "hf_vits"
    needed("onnx").helper.set_model_props(model, {name: str(value) for name, value in (metadata or {}).items()})
    return model.SerializeToString()
