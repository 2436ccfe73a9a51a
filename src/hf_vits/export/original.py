"""The layout of the original repository: `G_*.pth`, `D_*.pth` and `config.json`, to train on or to speak with there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.original_text import SYMBOLS
from hf_vits.discriminator import VitsDiscriminator
from hf_vits.export import Voice
from hf_vits.export.original_limits import check, check_judges
from hf_vits.export.original_names import original_name
from hf_vits.export.original_parity import original_parity
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V, respell
from hf_vits.tokenization_vits import VitsTokenizer

NORMED = ("dec.ups.", "dec.resblocks.")
"""Layers that have weight norm there and not here; the WaveNets have it in both."""

SEGMENT_SIZE = 8192
"""Samples that training decodes of a text."""

LIBRARY = "vits"

HELP = "G_0.pth, D_0.pth and config.json, for the original repository and what reads its files"

GENERATOR, DISCRIMINATOR, CONFIG = "G_0.pth", "D_0.pth", "config.json"


def write(voice: Voice, folder: Path) -> Iterator[str]:
    """Writes the files, and speaks from what is read back; yields notes on what they do not hold."""
    check(voice.model.config)
    if voice.discriminator is not None:
        check_judges(voice.discriminator.config)
    _save(folder / GENERATOR, voice_tensors(voice.model))
    if voice.discriminator is not None:
        _save(folder / DISCRIMINATOR, judges_tensors(voice.discriminator))
    config = description(voice.model.config, voice.tokenizer)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    yield from _notes(voice)
    yield original_parity(voice, folder / GENERATOR, _has_front_end(voice.tokenizer))


def voice_tensors(model: VitsModel) -> dict[str, Tensor]:
    """The voice by original names, with weight norm where the original has it."""
    tensors = {}
    for name, tensor in _single(model).items():
        original = original_name(name).replace(NEW_G, OLD_G).replace(NEW_V, OLD_V)
        is_linear = ".attn_layers." in original and original.endswith(".weight")  # a convolution of kernel 1 there
        tensors[original] = tensor.unsqueeze(-1) if is_linear else tensor
    return _normed(tensors, [name for name in tensors if name.startswith(NORMED)])


def judges_tensors(discriminator: VitsDiscriminator) -> dict[str, Tensor]:
    """The judges by original names, every layer with weight norm."""
    tensors = _single(discriminator)
    return _normed(tensors, list(tensors))


def description(config: VitsConfig, tokenizer: VitsTokenizer) -> dict[str, Any]:
    """The original's `config.json`; training settings are the paper's."""
    data = {
        "training_files": "filelists/train.txt",
        "validation_files": "filelists/val.txt",
        "text_cleaners": list(_cleaners(tokenizer) or ()),
        "max_wav_value": 32768.0,
        "sampling_rate": config.sampling_rate,
        "filter_length": config.fft_size,
        "hop_length": config.hop_length,
        "win_length": config.win_length or config.fft_size,
        "n_mel_channels": config.num_mel_bins,
        "mel_fmin": config.mel_fmin,
        "mel_fmax": config.mel_fmax,
        "add_blank": _blanks_as_there(tokenizer),
        "n_speakers": config.num_speakers if config.num_speakers > 1 else 0,
        "cleaned_text": False,
    }
    described = {"train": _training(config.hop_length), "data": data, "model": _architecture(config)}
    if config.speaker_names and config.num_speakers > 1:
        described["speakers"] = list(config.speaker_names)
    if (symbols := _symbols(config, tokenizer)) != list(SYMBOLS):
        described["symbols"] = symbols
    return described


def _training(hop_length: int) -> dict[str, Any]:
    """The paper's; the segments that its code trains on must be whole frames."""
    return {
        **{"log_interval": 200, "eval_interval": 1000, "seed": 1234, "epochs": 20000, "learning_rate": 2e-4},
        **{"betas": [0.8, 0.99], "eps": 1e-9, "batch_size": 64, "fp16_run": True, "lr_decay": 0.999875},
        **{"init_lr_ratio": 1, "warmup_epochs": 0, "c_mel": 45, "c_kl": 1.0},
        "segment_size": hop_length * max(1, SEGMENT_SIZE // hop_length),
    }


def _architecture(config: VitsConfig) -> dict[str, Any]:
    return {
        "inter_channels": config.flow_size,
        "hidden_channels": config.hidden_size,
        "filter_channels": config.ffn_dim,
        "n_heads": config.num_attention_heads,
        "n_layers": config.num_hidden_layers,
        "kernel_size": config.ffn_kernel_size,
        "p_dropout": config.hidden_dropout,
        "resblock": config.resblock_type,
        "resblock_kernel_sizes": list(config.resblock_kernel_sizes),
        "resblock_dilation_sizes": [list(row) for row in config.resblock_dilation_sizes],
        "upsample_rates": list(config.upsample_rates),
        "upsample_initial_channel": config.upsample_initial_channel,
        "upsample_kernel_sizes": list(config.upsample_kernel_sizes),
        "n_layers_q": 3,
        "use_spectral_norm": False,
        "use_sdp": config.use_stochastic_duration_prediction,
        "gin_channels": config.speaker_embedding_size if config.num_speakers > 1 else 0,
    }


def _symbols(config: VitsConfig, tokenizer: VitsTokenizer) -> list[str]:
    """One for each row of the embedding. An id without a symbol, as the original's first apostrophe, is empty."""
    symbols = [""] * config.vocab_size
    for symbol, i in tokenizer.encoder.items():
        if i < config.vocab_size:
            symbols[i] = symbol
    whole = [ours or theirs for ours, theirs in zip(symbols, SYMBOLS, strict=False)]
    return whole if whole == list(SYMBOLS) else symbols


def _has_front_end(tokenizer: VitsTokenizer) -> bool:
    """Whether the original's code makes the same ids of a text."""
    if tokenizer.bos_token or tokenizer.eos_token or _cleaners(tokenizer) is None:
        return False
    return not tokenizer.add_blank or _blanks_as_there(tokenizer)


def _blanks_as_there(tokenizer: VitsTokenizer) -> bool:
    """Whether the original's code, whose blank is id 0, puts the same blanks between symbols."""
    return tokenizer.add_blank and tokenizer.blank_id == 0


def _cleaners(tokenizer: VitsTokenizer) -> tuple[str, ...] | None:
    """The original's cleaner that does what the tokenizer does, or `None` if there is none."""
    if tokenizer.cleaner not in (None, "english", "none"):
        return None
    voice = tokenizer.phoneme_language or ("en-us" if tokenizer.language in (None, "eng") else None)
    if tokenizer.phonemize:
        spells_english = tokenizer.phoneme_style == "vits" and voice == "en-us" and tokenizer.normalize
        return ("english_cleaners2",) if spells_english and tokenizer.cleaner in (None, "english") else None
    if tokenizer.is_uroman:
        return None
    return ("basic_cleaners",) if tokenizer.normalize else ()


def _single(module: nn.Module) -> dict[str, Tensor]:
    """Its tensors in the precision that the files hold: what is divided for weight norm would be rounded in another."""
    return {name: tensor.float() for name, tensor in module.state_dict().items()}


def _normed(tensors: dict[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """Each layer of these names with weight norm in the original's spelling."""
    layers = [name.removesuffix(".weight") for name in names if name.endswith(".weight")]
    wanted = {layer + NEW_G for layer in layers} | {layer + NEW_V for layer in layers}
    respelt = respell(tensors, {name for name in tensors if name not in names} | wanted)
    return {name.replace(NEW_G, OLD_G).replace(NEW_V, OLD_V): tensor for name, tensor in respelt.items()}


def _save(file: Path, tensors: dict[str, Tensor]) -> None:
    contents = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    torch.save({"model": contents, "iteration": 1, "optimizer": None, "learning_rate": 2e-4}, file)


def _notes(voice: Voice) -> Iterator[str]:
    config, tokenizer, defaults = voice.model.config, voice.tokenizer, VitsConfig()
    if config.inference_only:
        yield "Without the posterior encoder, which the voice does not have: it can speak there but not be trained."
    if voice.discriminator is None:
        yield f"Without {DISCRIMINATOR}: the voice has no discriminators."
    if not _has_front_end(tokenizer):
        yield "The original's code has no front end like this voice's; give it the ids that our tokenizer makes."
    lost = [
        f"{name} {getattr(config, name):g}"
        for name in ("noise_scale", "noise_scale_duration", "speaking_rate")
        if getattr(config, name) != getattr(defaults, name)
    ]
    if lost:
        yield f"Not in its files: {', '.join(lost)}; pass them in every call there."
