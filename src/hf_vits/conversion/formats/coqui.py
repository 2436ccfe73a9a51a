"""Coqui TTS's VITS voices: `best_model.pth` with its config.json, of the old package and of idiap's.

Its tensor names correspond to the original's, and are renamed to those first.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import check_tensors, left_out
from hf_vits.conversion.converted import Converted, describe, license_beside, training_notes
from hf_vits.conversion.discriminators import (
    SPECTRAL,
    ConvertedDiscriminator,
    DiscriminatorFiles,
    convert_files,
    read_discriminator,
)
from hf_vits.conversion.formats.coqui_config import CoquiVoice, language_names, read_config, read_voice, speakers
from hf_vits.conversion.formats.coqui_tokenizer import tokenizer_of
from hf_vits.conversion.formats.original import Notes, Tensors
from hf_vits.conversion.key_mapping import Rule, translate
from hf_vits.conversion.schema import check_agreement
from hf_vits.conversion.shape_inference import infer_config
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import rename_tensors

DETERMINISTIC_NORM_EPS = 1e-4
"""Epsilon of the layer norms in Coqui's deterministic duration predictor; all others have 1e-5."""

DISCRIMINATOR = "disc.nets."
PERIOD_STRIDE = 3

RULES: tuple[Rule, ...] = (
    (r"^text_encoder\.", "enc_p."),
    (r"^posterior_encoder\.", "enc_q."),
    (r"^waveform_decoder\.cond_layer\.", "dec.cond."),
    (r"^waveform_decoder\.", "dec."),
    (r"^duration_predictor\.", "dp."),
    (r"^emb_([gl])\.", r"emb_\1."),
    # The original counts the reversals between couplings as layers
    (r"^flow\.flows\.(\d{1,4})\.", lambda match: f"flow.flows.{2 * int(match[1])}."),
    (r"^dp\.((?:post_)?flows)\.([1-9]\d{0,3})\.", lambda match: f"dp.{match[1]}.{2 * int(match[2]) - 1}."),
    (r"^(dp\.(?:post_)?flows\.0)\.translation$", r"\1.m"),
    (r"^(dp\.(?:post_)?flows\.0)\.log_scale$", r"\1.logs"),
)
"""Rename Coqui's tensors to the original's."""

DROPPED = (
    (r"(.*\.)?speaker_encoder\.", "the encoder of speakers, which only training used"),
    (r"audio_(resampler|transform)\.", "resampling for training"),
)

LANGUAGES: tuple[Rule, ...] = (
    (r"^emb_l\.", "embed_language."),
    (r"^dp\.cond_lang\.", "duration_predictor.cond_language."),
)
"""Rename the tensors that the original does not have to ours."""


def recognizes(source: Source) -> bool:
    """Return whether the file is of this format."""
    return source.has_tensors("text_encoder.emb.", "waveform_decoder.")


def convert(source: Source) -> Converted:
    """
    Convert a voice.

    Its config.json may lie beside the checkpoint or be in it. The files of speakers, languages and vectors that it
    names are looked for beside the checkpoint.

    Raises:
        FileNotFoundError: if there is no configuration, or a file of speaker vectors is missing.
        ValueError: if a file is damaged, they contradict each other, or they ask for what cannot be built.
    """
    checkpoint = source.checkpoint
    voice = read_voice(read_config(source))
    discriminator_tensors, tensors = _split(checkpoint.tensors, re.escape(DISCRIMINATOR))
    tensors, dropped = translate(tensors, RULES, DROPPED)
    check_tensors(tensors)
    tensors, duration_notes = _with_speaker_layer(_flat_norms(tensors), voice)
    tensors, speaker_names, speaker_notes = speakers(tensors, voice, source)
    tables, tensors = _split(tensors, r"emb_l\.|dp\.cond_lang\.")
    tables, _ = translate(tables, LANGUAGES)
    language_names, language_notes = _language_names(tables, voice, source)
    renamed, left = rename_tensors(tensors, voice.upsampled)
    state_dict = renamed | tables
    config = _config(state_dict, voice, speaker_names=speaker_names, language_names=language_names)
    tokenizer, tokenizer_notes = tokenizer_of(voice, config.vocab_size)
    if tokenizer is not None and tokenizer.add_blank:
        config.blank_id = tokenizer.blank_id
    discriminator, discriminator_notes = _discriminator(discriminator_tensors, voice, source)
    origin, license_notes = license_beside(source)
    notes = (
        describe("A Coqui voice", config, state_dict),
        *checkpoint.notes,
        *left_out(checkpoint.rest, "config"),
        *dropped,
        *left,
        *duration_notes,
        *speaker_notes,
        *language_notes,
        *tokenizer_notes,
        *discriminator_notes,
        *training_notes(config, discriminator),
        *license_notes,
        *voice.notes,
    )
    return Converted(config, state_dict, tokenizer, notes, discriminator, origin)


def _split(tensors: Mapping[str, Tensor], pattern: str) -> tuple[Tensors, Tensors]:
    """Return the tensors whose names begin with a match, and the others."""
    parts: tuple[Tensors, Tensors] = {}, {}
    for name, tensor in tensors.items():
        parts[re.match(pattern, name) is None][name] = tensor
    return parts


def _flat_norms(tensors: Tensors) -> Tensors:
    """Flatten the norms of the deterministic duration predictor, which are stored as (1, C, 1)."""
    flat = re.compile(r"dp\.norm_[12]\.(gamma|beta)")
    return {name: tensor.flatten() if flat.fullmatch(name) else tensor for name, tensor in tensors.items()}


def _with_speaker_layer(tensors: Tensors, voice: CoquiVoice) -> tuple[Tensors, Notes]:
    """Add a layer of zeros to a duration predictor that is not conditioned on the speaker."""
    if voice.durations_see_speaker or not any(name.startswith("dec.cond.") for name in tensors):
        return tensors, ()
    speakers = tensors["dec.cond.weight"].shape[1]
    first = tensors.get("dp.pre.weight", tensors.get("dp.conv_1.weight"))
    if first is None:
        raise ValueError("The file has no dp.pre.weight and no dp.conv_1.weight; every VITS generator has one of them.")
    channels = first.shape[0] if "dp.pre.weight" in tensors else first.shape[1]
    layer = {"dp.cond.weight": torch.zeros(channels, speakers, 1), "dp.cond.bias": torch.zeros(channels)}
    note = "Its duration predictor does not use the speaker (`condition_dp_on_speaker`): the layer for it is 0."
    return {**tensors, **layer}, (note,)


def _language_names(tables: Mapping[str, Tensor], voice: CoquiVoice, source: Source) -> tuple[list[str] | None, Notes]:
    """Return the names of the languages, if there is a table of them, and notes."""
    table = tables.get("embed_language.weight")
    if table is None:
        return None, ()
    if table.dim() != 2 or 0 in table.shape:
        raise ValueError(f"emb_l.weight has the shape {list(table.shape)}; a table of languages has rows and channels.")
    return language_names(len(table), voice, source)


def _config(tensors: Tensors, voice: CoquiVoice, **known: Any) -> VitsConfig:
    """Infer the configuration, and check that file and weights agree."""
    known = {**voice.known, **known}
    if "duration_predictor.conv_1.weight" in tensors:
        known["duration_predictor_layer_norm_eps"] = DETERMINISTIC_NORM_EPS
    if not any(name.startswith("posterior_encoder.") for name in tensors):
        del known["win_length"]  # of spectrograms that nothing here computes
    config = infer_config({name: tensor.shape for name, tensor in tensors.items()}, **known)
    in_file = dict(voice.in_file)
    if not voice.upsampled:
        in_file["hop_length"] = voice.hop_length
    if config.inference_only:
        for name in ("spectrogram_bins", "posterior_encoder_num_wavenet_layers"):
            del in_file[name]
    else:
        in_file["fft_size"] = voice.fft_size
    check_agreement(((name, value, getattr(config, name)) for name, value in in_file.items()), voice.fields.file)
    first = tensors.get("duration_predictor.conv_pre.weight")
    if first is not None and first.shape[0] != config.hidden_size:
        raise ValueError(
            f"The stochastic duration predictor has {first.shape[0]} channels, as it has in Coqui whatever "
            f"`hidden_channels` is; here it has as many as the text encoder, {config.hidden_size}. Such a voice cannot "
            "be converted."
        )
    return config


def _discriminator(
    tensors: Mapping[str, Tensor], voice: CoquiVoice, source: Source
) -> tuple[ConvertedDiscriminator | None, Notes]:
    """Return the discriminators that were given, or the checkpoint's own; and a note if these were left out."""
    if source.discriminator is not None:
        return read_discriminator(source.discriminator, voice.periods), ()
    if any(name.endswith(SPECTRAL) for name in tensors):
        return None, ("Left out, the discriminators: they have spectral norm, those here weight norm.",)
    if not tensors:
        return None, ()
    renamed = {"discriminators." + name.removeprefix(DISCRIMINATOR): tensor for name, tensor in tensors.items()}
    known = {"period_stride": PERIOD_STRIDE} | ({} if voice.periods is None else {"periods": voice.periods})
    return convert_files(DiscriminatorFiles(source.path, renamed, known)), ()
