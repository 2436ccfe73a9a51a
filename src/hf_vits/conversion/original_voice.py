"""Voices of the original repository and of MMS: `G_*.pth` with `config.json`, and with `vocab.txt` in MMS."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import check_tensors, left_out
from hf_vits.conversion.converted import Converted
from hf_vits.conversion.description import described
from hf_vits.conversion.discriminators import ConvertedDiscriminator, read_discriminator
from hf_vits.conversion.licence import licence_beside
from hf_vits.conversion.only_speaker import TABLE, fold_only_speaker
from hf_vits.conversion.original import infer_config, to_ours, unneeded
from hf_vits.conversion.original_json import OriginalVoice, read_description
from hf_vits.conversion.original_text import mms_symbols, tokenizer
from hf_vits.conversion.source import Source
from hf_vits.conversion.trainable import trainable
from hf_vits.origin import MMS_LICENSE, Origin
from hf_vits.wording import listed

NAME = "original VITS or MMS voice (G_*.pth with config.json; with vocab.txt in MMS)"


def recognises(source: Source) -> bool:
    """Whether the file is of this format."""
    return source.has_tensors("enc_p.emb.", "dec.conv_pre.", "flow.")


def convert(source: Source) -> Converted:
    """
    Converts a voice, with the discriminators in `D_*.pth` of the same number beside it.

    Raises:
        FileNotFoundError: if there is no config.json.
        ValueError: if a file is damaged, or they do not describe one VITS voice.
    """
    voice = read_description(_description(source))
    tensors, folded = _without_table_of_one(source.checkpoint.tensors)
    config = _config(tensors, voice)
    state_dict, notes = to_ours(tensors, unneeded(config))
    vocabulary = source.beside("vocab.txt")
    language = _language(source.path) if vocabulary else None
    front_end, said = tokenizer(voice, config.vocab_size, vocabulary and mms_symbols(vocabulary), language)
    judges, beside = _judges(source)
    origin, licensed = (Origin(license=MMS_LICENSE), ()) if vocabulary else licence_beside(source)
    return Converted(
        config,
        state_dict,
        front_end,
        (
            described("An MMS voice" if vocabulary else "An original VITS voice", config, state_dict),
            *(_said_of_mms(language) if vocabulary else ()),
            *source.checkpoint.notes,
            *left_out(source.checkpoint.rest),
            *voice.notes,
            *folded,
            *notes,
            *said,
            *trainable(config, judges, "D_*.pth"),
            *beside,
            *licensed,
        ),
        judges,
        origin,
    )


def _description(source: Source) -> Path:
    file = source.config or source.beside("config.json")
    if file is None or not file.is_file():
        raise FileNotFoundError(
            f"An original VITS voice is two files, and {file or source.path.parent / 'config.json'} is missing. It "
            "says how fast the waveform is sampled and by how much each layer upsamples; give it with `config=` "
            "(`--config`)."
        )
    return file


def _config(tensors: Mapping[str, torch.Tensor], voice: OriginalVoice) -> VitsConfig:
    told_by_shapes = any(name.startswith("enc_q.") for name in tensors)
    config = infer_config(
        tensors,
        **({} if told_by_shapes else {"spectrogram_bins": voice.filter_length // 2 + 1}),
        upsample_rates=voice.upsample_rates,
        resblock_dilation_sizes=voice.resblock_dilation_sizes,
        num_attention_heads=voice.num_heads,
        hidden_dropout=voice.dropout,
        attention_dropout=voice.dropout,
        activation_dropout=voice.dropout,
        sampling_rate=voice.sampling_rate,
        win_length=voice.win_length if voice.win_length != voice.filter_length else None,
        num_mel_bins=voice.mel_bins,
        mel_fmin=voice.mel_fmin,
        mel_fmax=voice.mel_fmax,
        speaker_names=voice.speaker_names,
    )
    said_and_built = [
        ("data.n_speakers", voice.num_speakers, config.num_speakers),
        ("data.hop_length", voice.hop_length, config.hop_length),
        ("model.resblock", voice.resblock_type, config.resblock_type),
        ("data.filter_length", voice.filter_length, config.fft_size),
    ]
    for name, said, built in said_and_built:
        if said != built:
            raise ValueError(
                f"`{name}` in the config.json means {said}, but the weights were built with {built}. Do the files "
                "belong together?"
            )
    return config


def _without_table_of_one(tensors: Mapping[str, torch.Tensor]) -> tuple[Mapping[str, torch.Tensor], tuple[str, ...]]:
    """A descendant of the original may have a table for its only speaker."""
    check_tensors(tensors)
    return fold_only_speaker(tensors) if TABLE in tensors and len(tensors[TABLE]) == 1 else (tensors, ())


def _judges(source: Source) -> tuple[ConvertedDiscriminator | None, tuple[str, ...]]:
    """Those that were given, or `D_*.pth` beside `G_*.pth`; and a note on others that lie there."""
    name = source.path.name
    file = source.discriminator or (source.beside("D_" + name[2:]) if name.startswith("G_") else None)
    if file is not None:
        return read_discriminator(file), ()
    others = sorted(other.name for other in source.path.parent.glob("D_*.pth"))
    if not others:
        return None, ()
    return None, (
        f"Beside it, but not of its number: {listed(others)}. If they go with it, give them with `discriminator=` "
        "(`--discriminator`).",
    )


def _language(path: Path) -> str | None:
    """MMS keeps each voice in a folder that is named after its language."""
    named = re.fullmatch("([a-z]{3})(-script_.+|-dialect_.+)?", Path(os.path.realpath(path)).parent.name)
    return named and named[1]


def _said_of_mms(language: str | None) -> tuple[str, ...]:
    told = (
        f"Its language is {language}, by the name of its folder."
        if language
        else (
            "Its language is not known, as its folder is not named after one; set `language` in tokenizer_config.json."
        )
    )
    return told, f"MMS has the licence {MMS_LICENSE}: nothing made from it may be used commercially."
