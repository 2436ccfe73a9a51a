"""Writes small voices as stock transformers and finetune-hf-vits leave them."""

import json
from pathlib import Path

import torch
import transformers
from original_discriminators import as_fine_tuner, stored_as, write_fine_tuner
from safetensors.torch import load_file, save_file
from tiny_voices import TINY

from hf_vits.modeling_vits import VitsModel

SIZES = {name: value for name, value in TINY.items() if name != "num_mel_bins"}  # which stock does not have
SYMBOLS = "_abcdefghijklmnop .'"


def stock_model(**fields) -> transformers.VitsModel:
    """Of transformers' own class, each parameter lively."""
    model = transformers.VitsModel(transformers.VitsConfig(**{**SIZES, **fields})).eval()
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=noise))
    return model


def write_stock(folder: Path, model, **options) -> Path:
    """As transformers saves it, with the tokenizer's files."""
    model.save_pretrained(folder, **options)
    return write_tokenizer(folder)


def write_tokenizer(folder: Path) -> Path:
    symbols = folder.parent / "symbols.json"
    symbols.write_text(json.dumps({symbol: i for i, symbol in enumerate(SYMBOLS)}))
    transformers.VitsTokenizer(str(symbols), pad_token="_", phonemize=False).save_pretrained(folder)
    return folder


def in_old_format(folder: Path) -> Path:
    """Weight norm under the names that MMS voices were published with."""
    file = folder / "model.safetensors"
    names = {".parametrizations.weight.original0": ".weight_g", ".parametrizations.weight.original1": ".weight_v"}
    tensors = {}
    for name, tensor in load_file(file).items():
        for new, old in names.items():
            name = name.replace(new, old)
        tensors[name] = tensor
    save_file(tensors, file, metadata={"format": "pt"})
    return folder


def in_pickle(folder: Path) -> Path:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def change_config(folder: Path, **fields) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    return folder


def normed_for_training(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As finetune-hf-vits trains: old-style weight norm on the couplings' plain convolutions and in the decoder too."""
    tensors = {}
    for name, tensor in state_dict.items():
        layer, _, kind = name.rpartition(".")
        coupling = layer.startswith("flow.flows.") and layer.endswith(("conv_pre", "conv_post"))
        decoder = layer.startswith(("decoder.upsampler", "decoder.resblocks"))
        if kind == "weight" and (coupling or decoder):
            tensors[layer + ".weight_g"] = torch.linalg.vector_norm(tensor, dim=(1, 2), keepdim=True)
            tensors[layer + ".weight_v"] = 2 * tensor
        else:
            tensors[name] = tensor
    return tensors


def write_prepared(folder: Path, model: VitsModel, discriminators, **fields) -> Path:
    """What fine-tuning starts from: one table of voice and discriminators."""
    return write_tokenizer(write_fine_tuner(folder, model, discriminators.state_dict(), **fields))


def write_mid_training(folder: Path, model: VitsModel, discriminators, pickled: bool = False) -> Path:
    """An output folder with its `checkpoint-50`, whose configuration and tokenizer are one folder up."""
    write_prepared(folder, model, discriminators)
    (folder / "model.safetensors").unlink()
    checkpoint = folder / "checkpoint-50"
    checkpoint.mkdir()
    voice = normed_for_training(model.state_dict())
    discriminators = as_fine_tuner(stored_as(discriminators.state_dict()))
    if pickled:
        torch.save(voice, checkpoint / "pytorch_model.bin")
        torch.save(discriminators, checkpoint / "pytorch_model_1.bin")
    else:
        save_file(voice, checkpoint / "model.safetensors", metadata={"format": "pt"})
        save_file(discriminators, checkpoint / "model_1.safetensors", metadata={"format": "pt"})
    for name in ("optimizer.bin", "optimizer_1.bin", "scheduler.bin", "scheduler_1.bin", "random_states_0.pkl"):
        (checkpoint / name).write_bytes(b"x")
    return checkpoint
