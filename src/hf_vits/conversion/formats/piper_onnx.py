"""Piper voices: `<voice>.onnx` with its `<voice>.onnx.json`. They can speak; what only training uses is not in them."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.converted import Converted, licence_beside, stored_as_float32, trainable
from hf_vits.conversion.discriminators import read_discriminator
from hf_vits.conversion.formats.onnx_weights import Convolution, OnnxWeights, looks_like_onnx, read_weights
from hf_vits.conversion.formats.piper_common import (
    PiperVoice,
    check_agreement,
    config_fields,
    read_voice,
    tokenizer,
    what,
)
from hf_vits.conversion.key_mapping import translate
from hf_vits.conversion.shape_inference import infer_config
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import ROOTS, count_layers, rename_tensors, rules_for
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.decoders.hifigan import FINAL_SLOPE


def recognises(source: Source) -> bool:
    """Whether the file is of this format."""
    return looks_like_onnx(source.head)


def convert(source: Source) -> Converted:
    """
    Converts a voice; its JSON file is named as the `.onnx` file with `.json` after it, if none is given.

    Raises:
        FileNotFoundError: if there is no JSON file.
        ImportError: without the package onnx.
        ValueError: if either file is damaged, or they do not describe one VITS voice.
    """
    path = source.path
    voice = read_voice(source.config or path.with_name(path.name + ".json"))
    weights = read_weights(path, ROOTS)
    state_dict, notes = rename_tensors(weights.tensors, inference_only=True)
    vits_config = _config(state_dict, weights, voice, path)
    _check_convolutions(weights.convolutions, vits_config)
    judges = None if source.discriminator is None else read_discriminator(source.discriminator)
    origin, licensed = licence_beside(source)
    notes = (what(voice, vits_config, state_dict), *trainable(vits_config, judges), *licensed, *notes, *voice.notes)
    notes += stored_as_float32(weights.kinds)
    if weights.constants:
        notes += (f"Left out, shapes and constants of the graph: {weights.constants} tensors.",)
    return Converted(vits_config, state_dict, tokenizer(voice), notes, judges, origin)


def _config(tensors: Mapping[str, Tensor], weights: OnnxWeights, voice: PiperVoice, path: Path) -> VitsConfig:
    config = infer_config(
        {name: tensor.shape for name, tensor in tensors.items()},
        **_strides_and_dilations(weights),
        leaky_relu_slope=_slope(weights, path),
        **config_fields(voice),
    )
    check_agreement(voice, config, path)
    return config


def _strides_and_dilations(weights: OnnxWeights) -> dict[str, list]:
    """What the graph's convolutions say about the decoder's and the flow's."""

    def at(name: str) -> Convolution:
        if name not in convolutions:
            raise ValueError(f"The graph has no convolution {name}, though others like it; the .onnx file is damaged.")
        return convolutions[name]

    convolutions = weights.convolutions
    stages = count_layers(convolutions, r"dec\.ups\.(\d+)$")
    blocks = count_layers(convolutions, r"dec\.resblocks\.(\d+)\.") // max(stages, 1)
    dilations = []
    for block in range(blocks):
        first = rf"dec\.resblocks\.{block}\.convs1?"
        layers = count_layers(convolutions, first + r"\.(\d+)$")
        stem = first.replace("\\", "").removesuffix("1?")
        stem = stem if f"{stem}.0" in convolutions else stem + "1"
        dilations.append([at(f"{stem}.{layer}").dilation for layer in range(layers)])
    second = convolutions.get("flow.flows.0.enc.in_layers.1")
    return {
        "upsample_rates": [at(f"dec.ups.{stage}").stride for stage in range(stages)],
        "resblock_dilation_sizes": dilations,
        "wavenet_dilation_rate": second.dilation if second else 1,
    }


def _slope(weights: OnnxWeights, path: Path) -> float:
    """The negative slope in the decoder; the one before its last convolution is always the same."""
    slopes = weights.slopes - {FINAL_SLOPE} or {FINAL_SLOPE}
    if len(slopes) > 1:
        raise ValueError(f"The leaky ReLUs of {path} have slopes {sorted(slopes)}; a VITS decoder has one of them.")
    return slopes.pop()


def _check_convolutions(convolutions: dict[str, Convolution], config: VitsConfig) -> None:
    """Raises `ValueError` if a convolution of the graph does other than the same one of the model to be built."""
    with torch.device("meta"):
        model = VitsModel(config)
    modules = dict(model.named_modules())
    names = [f"{module}.weight" for module in convolutions]
    renamed, _ = translate(dict(zip(names, convolutions.items(), strict=True)), rules_for(names))
    for ours, (source, found) in renamed.items():
        module = modules.get(ours.removesuffix(".weight"))
        if not isinstance(module, nn.modules.conv._ConvNd):
            continue  # a linear layer here; a layer that should not be there is found by its weight
        built = Convolution(module.stride[0], module.dilation[0], module.groups)
        if built != found:
            raise ValueError(f"{source} of the graph is {found}, but in a VITS model of this shape it is {built}.")
