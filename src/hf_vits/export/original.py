"""Target `original`: `G_*.pth`, `D_*.pth` and `config.json` of the original repository, for training or inference."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion import Converted, convert
from hf_vits.conversion.discriminators import ConvertedDiscriminator, as_list
from hf_vits.conversion.formats.original import SYMBOLS
from hf_vits.conversion.vits_keys import original_name
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.export import Voice, target
from hf_vits.export.graph import inference_copy
from hf_vits.export.tokens import tokens_of
from hf_vits.export.verify import Feed, Waveform, compared
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V, match_weight_norm
from hf_vits.tokenization_vits import VitsTokenizer

FIXED = {
    "decoder": None,
    "window_size": 4,
    "wavenet_kernel_size": 5,
    "wavenet_dilation_rate": 1,
    "prior_encoder_num_flows": 4,
    "prior_encoder_num_wavenet_layers": 4,
    "posterior_encoder_num_wavenet_layers": 16,
    "leaky_relu_slope": 0.1,
    "layer_norm_eps": 1e-5,
    "hidden_act": "relu",
    "use_bias": True,
    "posterior_input": "linear",
    "language_embedding_size": 0,
}
FIXED_STOCHASTIC = {
    "duration_predictor_kernel_size": 3,
    "duration_predictor_num_flows": 4,
    "duration_predictor_flow_bins": 10,
    "duration_predictor_tail_bound": 5.0,
    "depth_separable_num_layers": 3,
    "depth_separable_channels": 2,
}
FIXED_DETERMINISTIC = {
    "duration_predictor_kernel_size": 3,
    "duration_predictor_filter_channels": 256,
    "duration_norm_eps": 1e-5,
}
"""Values that the original's code has no setting for."""

DISCRIMINATORS = {
    "additional_discriminators": (),
    "periods": (2, 3, 5, 7, 11),
    "period_channels": (32, 128, 512, 1024, 1024),
    "period_kernel_size": 5,
    "period_stride": 3,
    "scales": 1,
    "scale_channels": (16, 64, 256, 1024, 1024, 1024),
}
"""The original's discriminators. Weights do not show periods and stride, so that others would be misread."""


def check(config: VitsConfig) -> None:
    """Raise `ValueError` for a model that the original's code cannot build."""
    fixed = FIXED | (FIXED_STOCHASTIC if config.use_stochastic_duration_prediction else FIXED_DETERMINISTIC)
    skipped = ("posterior_encoder_num_wavenet_layers", "posterior_input") if config.inference_only else ()
    differing = [
        f"{name} is {getattr(config, name)}, there {value}"
        for name, value in fixed.items()
        if getattr(config, name) != value and name not in skipped
    ]
    if config.num_speakers == 1 and config.speaker_embedding_size:
        differing.append("one speaker has a speaker vector, there none")
    if differing:
        raise ValueError(
            f"The original repository's code cannot build this model: {'; '.join(differing)}. Its code has no setting "
            "for these; export it for another target."
        )


def check_discriminator(config: VitsDiscriminatorConfig) -> None:
    """Raise `ValueError` for discriminators that the original's code cannot build, or would build differently."""
    differing = [
        f"{name} is {found}, there {as_list(value)}"
        for name, value in DISCRIMINATORS.items()
        if (found := as_list(getattr(config, name))) != as_list(value)
    ]
    if differing:
        raise ValueError(
            f"The original repository's code cannot build these discriminators: {'; '.join(differing)}. It has no "
            "setting for these; export the model without them: leave out `discriminator`, or move the folder "
            "discriminator/ out of the voice's."
        )


SETTINGS = (
    *("sampling_rate", "fft_size", "win_length", "num_mel_bins", "mel_fmin", "mel_fmax"),
    *("speaker_names", "hidden_dropout"),
)
"""Settings that only `config.json` holds."""

MAX_ERROR = 1e-6
"""Rounding that weight norm's division and product may cause, relative to a tensor's largest value."""


@torch.no_grad()
def verify(voice: Voice, file: Path, has_frontend: bool) -> str:
    """
    Read files back, compare them, and run what was read.

    Args:
        voice (`Voice`):
            The exported model.
        file (`Path`):
            The weights of the generator; the other files are beside it.
        has_frontend (`bool`):
            Whether the files describe the tokenizer's front end.

    Returns:
        `str`: a note on how close it is.

    Raises:
        ValueError: if a weight, a setting, an id or the output differs.
    """
    back = convert(file)
    _same_tensors(voice.model.state_dict(), back.state_dict)
    if voice.discriminator is not None:
        _same_discriminators(voice.discriminator, back.discriminator)
    _same_settings(voice, back)
    tokens = tokens_of(voice.tokenizer)
    if has_frontend and (back.tokenizer is None or tokens_of(back.tokenizer) != tokens):
        raise ValueError("The tokenizer has other ids when the files are read back; nothing was exported.")
    model = inference_copy(back.model())

    def speak(feed: Feed) -> tuple[np.ndarray, Waveform]:
        ids, lengths = (torch.from_numpy(feed[name]) for name in ("input", "input_lengths"))
        output = model(
            ids,
            attention_mask=(torch.arange(ids.shape[1]) < lengths[:, None]).long(),
            speaker_id=torch.from_numpy(feed["sid"]) if "sid" in feed else None,
            noise_scale=0.0,
            noise_scale_duration=0.0,
            speaking_rate=1 / float(feed["scales"][1]),
        )
        hop = model.config.hop_length
        return output.durations.numpy(), lambda item, frames: output.waveform[item, : frames * hop].numpy()

    return compared(voice, tokens.used, speak)


def _same_tensors(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    for name, tensor in ours.items():
        if name not in theirs:
            raise ValueError(f"{name} is missing when the files are read back; nothing was exported.")
        error = (theirs[name] - tensor.float()).abs().max().item()
        if not error <= MAX_ERROR * max(1.0, tensor.float().abs().max().item()):
            raise ValueError(f"{name} differs by {error:.1e} when it is read back; nothing was exported.")


def _same_discriminators(ours: VitsDiscriminator, theirs: ConvertedDiscriminator | None) -> None:
    _same_tensors(ours.state_dict(), theirs.state_dict if theirs else {})
    for name in DISCRIMINATORS:
        written, found = (as_list(getattr(part.config, name)) for part in (ours, theirs))
        if written != found:
            raise ValueError(
                f"`{name}` of the discriminators is {written} here and {found} when the files are read back; nothing "
                "was exported."
            )


def _same_settings(voice: Voice, back: Converted) -> None:
    ours, theirs = voice.model.config, back.config
    for name in SETTINGS:
        written, found = (_plain(getattr(config, name), name, config.fft_size) for config in (ours, theirs))
        if written != found:
            raise ValueError(
                f"`{name}` is {written!r} here and {found!r} when the files are read back; nothing was exported."
            )


def _plain(value, name: str, fft_size: int):
    """Replace defaults by what they mean: a window of the size of the FFT, an empty list of names."""
    if name == "win_length":
        return value or fft_size
    return list(value or ()) if name == "speaker_names" else value


NORMED = ("dec.ups.", "dec.resblocks.")
"""Layers that have weight norm only in the original; the WaveNets have it in both."""

SEGMENT_SIZE = 8192
"""Samples of a training segment."""

GENERATOR, DISCRIMINATOR, CONFIG = "G_0.pth", "D_0.pth", "config.json"

FILES = "G_0.pth, D_0.pth and config.json, for the original repository and what reads its files"


@target("original", FILES, library="vits", is_graph=False, takes_discriminator=True)
def write(voice: Voice, folder: Path) -> Iterator[str]:
    """Write the files, read them back and run them; yield notes on what they do not hold."""
    check(voice.model.config)
    if voice.discriminator is not None:
        check_discriminator(voice.discriminator.config)
    _save(folder / GENERATOR, generator_tensors(voice.model))
    if voice.discriminator is not None:
        _save(folder / DISCRIMINATOR, discriminator_tensors(voice.discriminator))
    config = description(voice.model.config, voice.tokenizer)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    yield from _notes(voice)
    yield verify(voice, folder / GENERATOR, _has_frontend(voice.tokenizer))


def generator_tensors(model: VitsModel) -> dict[str, Tensor]:
    """Return the generator's tensors by original name, with weight norm where the original has it."""
    tensors = {}
    for name, tensor in _float32(model).items():
        original = original_name(name).replace(NEW_G, OLD_G).replace(NEW_V, OLD_V)
        is_linear = ".attn_layers." in original and original.endswith(".weight")  # a convolution of kernel 1 there
        tensors[original] = tensor.unsqueeze(-1) if is_linear else tensor
    return _normed(tensors, [name for name in tensors if name.startswith(NORMED)])


def discriminator_tensors(discriminator: VitsDiscriminator) -> dict[str, Tensor]:
    """Return the discriminator's tensors by original name, every layer with weight norm."""
    tensors = _float32(discriminator)
    return _normed(tensors, list(tensors))


def description(config: VitsConfig, tokenizer: VitsTokenizer) -> dict[str, Any]:
    """Return the original's `config.json`, with the paper's training settings."""
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
        "add_blank": _has_original_blanks(tokenizer),
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
    """Return the paper's training settings, with segments of whole frames, as the code requires."""
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
    """Return a symbol for each row of the embedding, empty for an id without one (the original has one)."""
    symbols = [""] * config.vocab_size
    for symbol, i in tokenizer.encoder.items():
        if i < config.vocab_size:
            symbols[i] = symbol
    whole = [ours or theirs for ours, theirs in zip(symbols, SYMBOLS, strict=False)]
    return whole if whole == list(SYMBOLS) else symbols


def _has_frontend(tokenizer: VitsTokenizer) -> bool:
    """Return True if the original's code converts a text to the same ids."""
    if tokenizer.bos_token or tokenizer.eos_token or _cleaners(tokenizer) is None:
        return False
    return not tokenizer.add_blank or _has_original_blanks(tokenizer)


def _has_original_blanks(tokenizer: VitsTokenizer) -> bool:
    """Return True if the original's code, whose blank is id 0, adds the same blanks."""
    return tokenizer.add_blank and tokenizer.blank_id == 0


def _cleaners(tokenizer: VitsTokenizer) -> tuple[str, ...] | None:
    """Return the original's cleaner for what the tokenizer does, or `None` if there is none."""
    if tokenizer.cleaner not in (None, "english", "none"):
        return None
    voice = tokenizer.phoneme_language or ("en-us" if tokenizer.language in (None, "eng") else None)
    if tokenizer.phonemize:
        is_english = tokenizer.phoneme_style == "vits" and voice == "en-us" and tokenizer.normalize
        return ("english_cleaners2",) if is_english and tokenizer.cleaner in (None, "english") else None
    if tokenizer.is_uroman:
        return None
    return ("basic_cleaners",) if tokenizer.normalize else ()


def _float32(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors in the files' precision, before weight norm divides them, which would round in another."""
    return {name: tensor.float() for name, tensor in module.state_dict().items()}


def _normed(tensors: dict[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """Return the tensors with weight norm, in the original's format, for each layer of these names."""
    layers = [name.removesuffix(".weight") for name in names if name.endswith(".weight")]
    wanted = {layer + NEW_G for layer in layers} | {layer + NEW_V for layer in layers}
    converted = match_weight_norm(tensors, {name for name in tensors if name not in names} | wanted)
    return {name.replace(NEW_G, OLD_G).replace(NEW_V, OLD_V): tensor for name, tensor in converted.items()}


def _save(file: Path, tensors: dict[str, Tensor]) -> None:
    contents = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    torch.save({"model": contents, "iteration": 1, "optimizer": None, "learning_rate": 2e-4}, file)


def _notes(voice: Voice) -> Iterator[str]:
    config, tokenizer, defaults = voice.model.config, voice.tokenizer, VitsConfig()
    if config.inference_only:
        yield "Without the posterior encoder, which the model lacks: it is for inference only there."
    if voice.discriminator is None:
        yield f"Without {DISCRIMINATOR}: there is no discriminator."
    if not _has_frontend(tokenizer):
        yield "The original's code has no front end like this voice's; give it the ids of our tokenizer."
    lost = [
        f"{name} {getattr(config, name):g}"
        for name in ("noise_scale", "noise_scale_duration", "speaking_rate")
        if getattr(config, name) != getattr(defaults, name)
    ]
    if lost:
        yield f"Not in its files: {', '.join(lost)}; pass them in every call there."
