"""Writes small voices as Piper's training leaves them, in both of its generations, from published names alone."""

import json
from pathlib import Path

import torch
from original_discriminators import Original, prefixed, stored_as
from original_files import in_original_layout, tiny_model, with_weight_norm
from piper_files import voice_json

from hf_vits.modeling_vits import VitsModel

__all__ = ["hyper_parameters", "discriminators", "tiny_model", "write_checkpoint"]


def discriminators(seed: int = 0) -> Original:
    return Original(seed=seed)


def hyper_parameters(model: VitsModel, generation: str = "rhasspy") -> dict:
    """What Lightning saves of the arguments: of the first program the whole command line, paths included."""
    config = model.config
    fields = {
        "num_symbols": config.vocab_size,
        "num_speakers": config.num_speakers,
        "sample_rate": config.sampling_rate,
        "resblock": config.resblock_type,
        "resblock_kernel_sizes": tuple(config.resblock_kernel_sizes),
        "resblock_dilation_sizes": tuple(tuple(row) for row in config.resblock_dilation_sizes),
        "upsample_rates": tuple(config.upsample_rates),
        "upsample_initial_channel": config.upsample_initial_channel,
        "upsample_kernel_sizes": tuple(config.upsample_kernel_sizes),
        "filter_length": config.fft_size,
        "hop_length": config.hop_length,
        "win_length": config.fft_size,
        "mel_channels": 80,
        "mel_fmin": 0.0,
        "mel_fmax": None,
        "inter_channels": config.flow_size,
        "hidden_channels": config.hidden_size,
        "filter_channels": config.ffn_dim,
        "n_heads": config.num_attention_heads,
        "n_layers": config.num_hidden_layers,
        "kernel_size": config.ffn_kernel_size,
        "p_dropout": 0.1,
        "n_layers_q": 3,
        "use_spectral_norm": False,
        "gin_channels": config.speaker_embedding_size,
        "use_sdp": config.use_stochastic_duration_prediction,
        "segment_size": 8192,
        "learning_rate": 2e-4,
        "betas": (0.8, 0.99),
        "batch_size": 32,
    }
    if generation == "rhasspy":
        paths = {"dataset_dir": Path("/data/voice"), "dataset": [Path("/data/voice/dataset.jsonl")]}
        return {**fields, **paths, "quality": "medium", "accelerator": "gpu", "seed": 1234}
    for name in ("resblock_dilation_sizes", "upsample_rates"):  # as its command line leaves what was given there
        fields[name] = str(fields[name])
    return {
        **fields,
        "use_mrd": True,
        "mos_metric": "utmos",
        "_instantiator": "lightning.pytorch.cli.instantiate_module",
    }


def in_piper_layout(model: VitsModel, discriminators: Original | None, generation: str = "rhasspy") -> dict:
    tensors = prefixed("model_g.", with_weight_norm(in_original_layout(model)))
    if discriminators is not None:
        tensors |= prefixed("model_d.", stored_as(discriminators.state_dict()))
    if generation != "rhasspy":
        tensors["model_mrd.discriminators.0.convs.0.weight_g"] = torch.ones(2, 1, 1, 1)
        tensors["model_mrd.discriminators.0.convs.0.weight_v"] = torch.ones(2, 1, 3, 9)
    return tensors


def write_checkpoint(
    folder: Path, model: VitsModel, discriminators: Original | None = None, generation: str = "rhasspy", change=None
) -> Path:
    """`epoch=4999-step=7.ckpt` with its config.json; `change` may alter what is saved, and the JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = hyper_parameters(model, generation)
    contents = {
        "epoch": 4999,
        "global_step": 7,
        "pytorch-lightning_version": "1.7.7" if generation == "rhasspy" else "2.5.0",
        "state_dict": in_piper_layout(model, discriminators, generation),
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint": {"dirpath": "/data", "best_model_path": ""}},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 2e-4}]}],
        "lr_schedulers": [{"last_epoch": 4999}],
        "hparams_name": "kwargs",
        "hyper_parameters": arguments,
    }
    data = voice_json(model.config)
    if change:
        change(contents, data)
    (folder / "config.json").write_text(json.dumps(data))
    torch.save(contents, folder / "epoch=4999-step=7.ckpt")
    return folder / "epoch=4999-step=7.ckpt"
