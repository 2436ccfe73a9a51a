"""Voices in the layout of the original repository, written from its published names alone."""

import json
import re
from pathlib import Path

import piper_files
import torch

from hf_vits.modeling_vits import VitsModel

NAMES = json.loads((Path(__file__).parent / "original_names.json").read_text())


def tiny_model(**overrides) -> VitsModel:
    whole = {
        "inference_only": False,
        "posterior_encoder_num_wavenet_layers": 2,
        "spectrogram_bins": 17,
        "sampling_rate": 16_000,
    }
    return piper_files.tiny_model(**(whole | {"duration_predictor_filter_channels": 14} | overrides))


def original_name(name: str) -> str:
    for pattern, replacement in NAMES["pairs"]:
        if match := re.fullmatch(pattern, name):
            name = match.expand(replacement)
            break
    else:
        raise AssertionError(f"{name} has no original name")
    if re.match(r"dp\.(post_)?flows\.", name):
        for pattern, replacement in NAMES["then_inside_duration_flows"]:
            name = re.sub(pattern, replacement, name)
    return name


def in_original_layout(model: VitsModel) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, tensor in model.state_dict().items():
        original = original_name(name).replace(".parametrizations.weight.original0", ".weight_g")
        original = original.replace(".parametrizations.weight.original1", ".weight_v")
        kernel_1 = re.search(r"attn_layers\.\d+\.conv_.\.weight$", original)
        tensors[original] = tensor.unsqueeze(-1) if kernel_1 else tensor
    return tensors


def with_weight_norm(
    tensors: dict[str, torch.Tensor], layers: str = r"dec\.(ups|resblocks)\..*"
) -> dict[str, torch.Tensor]:
    """The same layers with weight norm, as training stores them; g is not that of v, as after some steps."""
    normed = {}
    for name, tensor in tensors.items():
        if name.endswith(".weight") and re.fullmatch(layers, name.removesuffix(".weight")):
            axes = tuple(range(1, tensor.dim()))
            normed[name + "_g"] = torch.linalg.vector_norm(tensor, dim=axes, keepdim=True)
            normed[name + "_v"] = 3 * tensor
        else:
            normed[name] = tensor
    return normed


def original_config(model: VitsModel, **data) -> dict:
    """What the original's `config.json` would say of a model."""
    config = model.config
    return {
        "train": {"learning_rate": 2e-4, "segment_size": 8192},
        "data": {
            "training_files": "filelists/train.txt.cleaned",
            "text_cleaners": ["english_cleaners2"],
            "max_wav_value": 32768.0,
            "sampling_rate": config.sampling_rate,
            "filter_length": config.fft_size,
            "hop_length": config.hop_length,
            "win_length": config.fft_size,
            "n_mel_channels": 80,
            "mel_fmin": 0.0,
            "mel_fmax": None,
            "add_blank": True,
            "n_speakers": config.num_speakers if config.num_speakers > 1 else 0,
            "cleaned_text": True,
            **data,
        },
        "model": {
            "inter_channels": config.flow_size,
            "hidden_channels": config.hidden_size,
            "filter_channels": config.ffn_dim,
            "n_heads": config.num_attention_heads,
            "n_layers": config.num_hidden_layers,
            "kernel_size": config.ffn_kernel_size,
            "p_dropout": 0.1,
            "resblock": config.resblock_type,
            "resblock_kernel_sizes": list(config.resblock_kernel_sizes),
            "resblock_dilation_sizes": [list(row) for row in config.resblock_dilation_sizes],
            "upsample_rates": list(config.upsample_rates),
            "upsample_initial_channel": config.upsample_initial_channel,
            "upsample_kernel_sizes": list(config.upsample_kernel_sizes),
            "use_spectral_norm": False,
        },
    }


def write_original(folder: Path, model: VitsModel, tensors=None, config=None, **data) -> Path:
    """A training run's `G_7.pth` with its `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = with_weight_norm(in_original_layout(model)) if tensors is None else tensors
    contents = {"model": tensors, "iteration": 7, "optimizer": {"state": {}}, "learning_rate": 2e-4}
    torch.save(contents, folder / "G_7.pth")
    config = original_config(model, **data) if config is None else config
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder / "G_7.pth"


ONE_DIFFERENCE = {
    "stock": {},
    "block type 2": {"resblock_type": "2", "resblock_dilation_sizes": [[1, 2], [2, 6]]},
    "deterministic durations": {"use_stochastic_duration_prediction": False},
    "speakers": {"num_speakers": 3, "speaker_embedding_size": 6},
    "speakers, deterministic durations": {
        "num_speakers": 3,
        "speaker_embedding_size": 6,
        "use_stochastic_duration_prediction": False,
    },
    "speaker layer": {
        "num_hidden_layers": 3,
        "num_speakers": 3,
        "speaker_embedding_size": 6,
        "text_encoder": {"speaker_layer": 2},
    },
    "transformer in the flow": {"flow": {"transformer": "pre_conv"}},
    "other transformer in the flow": {
        "flow": {
            "transformer": "pre_conv",
            "transformer_layers": 1,
            "transformer_ffn_dim": 10,
            "transformer_kernel_size": 5,
        }
    },
    "outside speaker vectors": {"speaker_embedding_size": 6},
    "inference only": {"inference_only": True},
    "inference only, deterministic durations": {"inference_only": True, "use_stochastic_duration_prediction": False},
    "no relative positions": {"window_size": None},
    "no attention bias": {"use_bias": False},
    "other counts": {
        "num_hidden_layers": 3,
        "prior_encoder_num_flows": 2,
        "prior_encoder_num_wavenet_layers": 3,
        "posterior_encoder_num_wavenet_layers": 1,
        "depth_separable_num_layers": 2,
        "duration_predictor_num_flows": 3,
        "duration_predictor_flow_bins": 7,
        "flow_size": 8,
        "spectrogram_bins": 33,
        "ffn_kernel_size": 5,
    },
}
"""Fields of models that each differ in one thing from the others."""
