"""Coqui TTS's VITS voices: `best_model.pth` with its config.json, of the old package and of idiap's.

The names are the original's by other words, so they are brought to those first.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import check_tensors, left_out
from hf_vits.conversion.converted import Converted, described, licence_beside, trainable
from hf_vits.conversion.discriminators import (
    SPECTRAL,
    ConvertedDiscriminator,
    DiscriminatorFiles,
    converted,
    read_discriminator,
)
from hf_vits.conversion.formats.coqui_config import CoquiVoice, fields_of, language_names, read_voice, speakers
from hf_vits.conversion.formats.coqui_tokenizer import tokenizer_of
from hf_vits.conversion.formats.original import Tensors
from hf_vits.conversion.key_mapping import Rule, translate
from hf_vits.conversion.shape_inference import infer_config
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import rename_tensors

PLAIN_NORM_EPS = 1e-4
"""Epsilon of the layer norms in Coqui's plain duration predictor; all others have 1e-5."""

JUDGES = "disc.nets."
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
"""Coqui's names to the original's."""

DROPPED = (
    (r"(.*\.)?speaker_encoder\.", "the encoder of speakers, which only training used"),
    (r"audio_(resampler|transform)\.", "resampling for training"),
)

LANGUAGES: tuple[Rule, ...] = (
    (r"^emb_l\.", "embed_language."),
    (r"^dp\.cond_lang\.", "duration_predictor.cond_language."),
)
"""The tensors that the original does not have, to our names."""


def recognises(source: Source) -> bool:
    """Whether the file is of this format."""
    return source.has_tensors("text_encoder.emb.", "waveform_decoder.")


def convert(source: Source) -> Converted:
    """
    Converts a voice.

    Its config.json may lie beside the checkpoint or be in it. The files of speakers, languages and vectors that it
    names are looked for beside the checkpoint.

    Raises:
        FileNotFoundError: if there is no configuration, or a file of speaker vectors is missing.
        ValueError: if a file is damaged, they contradict each other, or they ask for what cannot be built.
    """
    checkpoint = source.checkpoint
    voice = read_voice(fields_of(source))
    judges, tensors = _parted(checkpoint.tensors, re.escape(JUDGES))
    tensors, dropped = translate(tensors, RULES, DROPPED)
    check_tensors(tensors)
    tensors, unseen = _with_blind_durations(_flat_norms(tensors), voice)
    tensors, names, speakers_said = speakers(tensors, voice, source)
    tables, tensors = _parted(tensors, r"emb_l\.|dp\.cond_lang\.")
    tables, _ = translate(tables, LANGUAGES)
    languages, languages_said = _languages(tables, voice, source)
    renamed, left = rename_tensors(tensors, voice.upsampled)
    state_dict = renamed | tables
    config = _config(state_dict, voice, speaker_names=names, **languages)
    tokenizer, symbols_said = tokenizer_of(voice, config.vocab_size)
    if tokenizer is not None and tokenizer.add_blank:
        config.blank_id = tokenizer.blank_id
    discriminator, judges_said = _discriminator(judges, voice, source)
    origin, licensed = licence_beside(source)
    omitted = (*checkpoint.notes, *left_out(checkpoint.rest, "config"), *dropped, *left, *unseen)
    judged = (*judges_said, *trainable(config, discriminator))
    said = (*speakers_said, *languages_said, *symbols_said, *judged, *licensed, *voice.notes)
    return Converted(
        config,
        state_dict,
        tokenizer,
        (described("A Coqui voice", config, state_dict), *omitted, *said),
        discriminator,
        origin,
    )


def _parted(tensors: Mapping[str, Tensor], pattern: str) -> tuple[Tensors, Tensors]:
    """The tensors whose names begin with a match, and the others."""
    parts: tuple[Tensors, Tensors] = {}, {}
    for name, tensor in tensors.items():
        parts[re.match(pattern, name) is None][name] = tensor
    return parts


def _flat_norms(tensors: Tensors) -> Tensors:
    """The plain duration predictor's norms are stored as (1, C, 1)."""
    flat = re.compile(r"dp\.norm_[12]\.(gamma|beta)")
    return {name: tensor.flatten() if flat.fullmatch(name) else tensor for name, tensor in tensors.items()}


def _with_blind_durations(tensors: Tensors, voice: CoquiVoice) -> tuple[Tensors, tuple[str, ...]]:
    """A duration predictor that does not look at the speaker gets a layer that answers 0."""
    if voice.durations_see_speaker or not any(name.startswith("dec.cond.") for name in tensors):
        return tensors, ()
    speakers = tensors["dec.cond.weight"].shape[1]
    first = tensors.get("dp.pre.weight", tensors.get("dp.conv_1.weight"))
    if first is None:
        raise ValueError("The file has no dp.pre.weight and no dp.conv_1.weight; every VITS generator has one of them.")
    channels = first.shape[0] if "dp.pre.weight" in tensors else first.shape[1]
    silent = {"dp.cond.weight": torch.zeros(channels, speakers, 1), "dp.cond.bias": torch.zeros(channels)}
    note = "Its duration predictor does not look at the speaker (`condition_dp_on_speaker`): the layer that would is 0."
    return {**tensors, **silent}, (note,)


def _languages(
    languages: Mapping[str, Tensor], voice: CoquiVoice, source: Source
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields of our configuration for the languages, and notes."""
    table = languages.get("embed_language.weight")
    if table is None:
        return {}, ()
    if table.dim() != 2 or 0 in table.shape:
        raise ValueError(f"emb_l.weight has the shape {list(table.shape)}; a table of languages has rows and channels.")
    names, notes = language_names(len(table), voice, source)
    return {"language_names": names}, notes


def _config(tensors: Tensors, voice: CoquiVoice, **known: Any) -> VitsConfig:
    """The configuration, in which file and weights agree."""
    known = {**voice.known, **known}
    if "duration_predictor.conv_1.weight" in tensors:
        known["duration_predictor_layer_norm_eps"] = PLAIN_NORM_EPS
    if not any(name.startswith("posterior_encoder.") for name in tensors):
        del known["win_length"]  # of spectrograms that nothing here computes
    config = infer_config({name: tensor.shape for name, tensor in tensors.items()}, **known)
    _check_agreement(voice, config)
    first = tensors.get("duration_predictor.conv_pre.weight")
    if first is not None and first.shape[0] != config.hidden_size:
        raise ValueError(
            f"The stochastic duration predictor has {first.shape[0]} channels, as it has in Coqui whatever "
            f"`hidden_channels` is; here it has as many as the text encoder, {config.hidden_size}. Such a voice cannot "
            "be converted."
        )
    return config


def _check_agreement(voice: CoquiVoice, config: VitsConfig) -> None:
    """Raises `ValueError` if the configuration says other than the weights."""
    said = dict(voice.said)
    if not voice.upsampled:
        said["hop_length"] = voice.hop_length
    if config.inference_only:
        for name in ("spectrogram_bins", "posterior_encoder_num_wavenet_layers"):
            del said[name]
    else:
        said["fft_size"] = voice.fft_size
    for name, value in said.items():
        built = getattr(config, name)
        if value is not None and value != (list(built) if isinstance(built, list | tuple) else built):
            raise ValueError(
                f"{voice.fields.file} says that `{name}` is {value}, but the weights have {built}. Do the files belong "
                "together?"
            )


def _discriminator(
    judges: Mapping[str, Tensor], voice: CoquiVoice, source: Source
) -> tuple[ConvertedDiscriminator | None, tuple[str, ...]]:
    """What the voice was trained against, and a note if that cannot be taken over."""
    if source.discriminator is not None:
        return read_discriminator(source.discriminator, voice.periods), ()
    if any(name.endswith(SPECTRAL) for name in judges):
        return None, ("Left out, the discriminators: they have spectral norm, those here weight norm.",)
    if not judges:
        return None, ()
    renamed = {"discriminators." + name.removeprefix(JUDGES): tensor for name, tensor in judges.items()}
    said = {"period_stride": PERIOD_STRIDE} | ({} if voice.periods is None else {"periods": voice.periods})
    return converted(DiscriminatorFiles(source.path, renamed, said)), ()
