"""Piper voices: `<voice>.onnx` with its `<voice>.onnx.json`. They can speak but not be trained."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.converted import Converted, dtype_notes, license_beside, training_notes
from hf_vits.conversion.discriminators import read_discriminator
from hf_vits.conversion.formats.onnx_weights import Convolution, OnnxWeights, looks_like_onnx, read_weights
from hf_vits.conversion.formats.piper_common import PiperVoice, read_voice
from hf_vits.conversion.key_mapping import translate
from hf_vits.conversion.shape_inference import infer_config
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import ROOTS, count_layers, rename_tensors, rules_for
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.decoders.hifigan import FINAL_SLOPE
from hf_vits.utils.meta_device import skeleton
from hf_vits.utils.torch_state import ConvNd


def recognizes(source: Source) -> bool:
    """Return whether the file is of this format."""
    return looks_like_onnx(source.head)


def convert(source: Source) -> Converted:
    """
    Convert a voice; its JSON file is named as the `.onnx` file with `.json` after it, if none is given.

    Raises:
        FileNotFoundError: if there is no JSON file.
        ImportError: without the package onnx.
        ValueError: if either file is damaged, or they do not describe one VITS voice.
    """
    path = source.path
    voice = read_voice(source.config or path.with_name(path.name + ".json"))
    weights = read_weights(path, ROOTS)
    state_dict, renamed = rename_tensors(weights.tensors, inference_only=True)
    config = _config(state_dict, weights, voice, path)
    _check_convolutions(weights.convolutions, config)
    discriminator = None if source.discriminator is None else read_discriminator(source.discriminator)
    origin, license_notes = license_beside(source)
    constants = f"Left out, shapes and constants of the graph: {weights.constants} tensors."
    notes = (
        voice.describe(config, state_dict),
        *training_notes(config, discriminator),
        *license_notes,
        *renamed,
        *voice.notes,
        *dtype_notes(weights.kinds),
        *((constants,) if weights.constants else ()),
    )
    return Converted(config, state_dict, voice.tokenizer(), notes, discriminator, origin)


def _config(tensors: Mapping[str, Tensor], weights: OnnxWeights, voice: PiperVoice, path: Path) -> VitsConfig:
    config = infer_config(
        {name: tensor.shape for name, tensor in tensors.items()},
        **_strides_and_dilations(weights.convolutions),
        leaky_relu_slope=_slope(weights, path),
        **voice.config_fields(),
    )
    voice.check(config)
    return config


def _strides_and_dilations(convolutions: Mapping[str, Convolution]) -> dict[str, list]:
    """Return the fields of the decoder and the flow that the graph's convolutions determine."""

    def at(name: str) -> Convolution:
        if name not in convolutions:
            raise ValueError(f"The graph has no convolution {name}, though others like it; the .onnx file is damaged.")
        return convolutions[name]

    stages = count_layers(convolutions, r"dec\.ups\.(\d+)$")
    blocks = count_layers(convolutions, r"dec\.resblocks\.(\d+)\.") // max(stages, 1)
    dilations = []
    for block in range(blocks):
        stem = f"dec.resblocks.{block}.convs"
        layers = count_layers(convolutions, rf"dec\.resblocks\.{block}\.convs1?\.(\d+)$")
        stem = stem if f"{stem}.0" in convolutions else stem + "1"
        dilations.append([at(f"{stem}.{layer}").dilation for layer in range(layers)])
    second = convolutions.get("flow.flows.0.enc.in_layers.1")
    return {
        "upsample_rates": [at(f"dec.ups.{stage}").stride for stage in range(stages)],
        "resblock_dilation_sizes": dilations,
        "wavenet_dilation_rate": second.dilation if second else 1,
    }


def _slope(weights: OnnxWeights, path: Path) -> float:
    """Return the negative slope in the decoder; the one before its last convolution is always the same."""
    slopes = weights.slopes - {FINAL_SLOPE} or {FINAL_SLOPE}
    if len(slopes) > 1:
        raise ValueError(f"The leaky ReLUs of {path} have slopes {sorted(slopes)}; a VITS decoder has one of them.")
    return slopes.pop()


def _check_convolutions(convolutions: Mapping[str, Convolution], config: VitsConfig) -> None:
    """Raise `ValueError` if a convolution of the graph differs from that of the model to be built."""
    modules = dict(skeleton(VitsModel, config).named_modules())
    names = [f"{module}.weight" for module in convolutions]
    renamed, _ = translate(dict(zip(names, convolutions.items(), strict=True)), rules_for(names))
    for ours, (original, in_graph) in renamed.items():
        module = modules.get(ours.removesuffix(".weight"))
        if not isinstance(module, ConvNd):
            continue  # a linear layer here; a layer that should not be there is detected by its weight
        expected = Convolution(module.stride[0], module.dilation[0], module.groups)
        if expected != in_graph:
            raise ValueError(
                f"{original} of the graph is {in_graph}, but in a VITS model of this shape it is {expected}."
            )
