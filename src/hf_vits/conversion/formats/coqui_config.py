"""The config.json of a Coqui voice, checked field by field, and its files of speakers and languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.conversion.formats.original import SPEAKER_TABLE, Notes, Tensors, fold_only_speaker
from hf_vits.conversion.schema import JsonReader, read_fields, row_names
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import PARAMETERS
from hf_vits.hub.state_dict import read_contents
from hf_vits.utils.files import read_json
from hf_vits.utils.formatting import listed

OWNER = "Coqui VITS voice"
CONFIG = "config.json"

HOW_TO_SAVE = (
    "Load the checkpoint where Coqui TTS is installed, and save it again with its configuration as plain data: "
    "`state = torch.load(path, weights_only=False); state['config'] = config.to_dict(); torch.save(state, path)`; or "
    "put the config.json of the run beside it."
)


@dataclass(frozen=True)
class CoquiVoice:
    """
    Fields of the configuration, and the names of files that belong to the voice.

    `in_file` are fields of [`VitsConfig`] that shapes determine too, `known` those that they do not. `languages` may be
    known of a voice without vectors for them; `upsampled` is true if the decoder's sampling rate is higher than that of
    the parts before it.
    """

    fields: JsonReader
    in_file: dict[str, Any]
    known: dict[str, Any]
    hop_length: int
    fft_size: int
    upsampled: bool
    durations_see_speaker: bool
    speakers: tuple[str, ...]
    speaker_files: tuple[str, ...]
    vector_files: tuple[str, ...]
    languages: tuple[str, ...]
    language_files: tuple[str, ...]
    periods: list[int] | None
    notes: tuple[str, ...] = ()


def read_config(source: Source) -> JsonReader:
    """
    Return the configuration that was given, or is beside the checkpoint, or in it.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is damaged, or that of another model.
    """
    file = source.config or source.beside(CONFIG)
    inside = source.checkpoint.rest.get("config")
    if file is not None:
        fields = read_fields(file, OWNER)
    elif isinstance(inside, Mapping):
        fields = JsonReader(source.path, inside, OWNER)
    elif inside is not None:
        raise ValueError(f"The configuration in {source.path} is an object of Coqui's code. {HOW_TO_SAVE}")
    else:
        raise FileNotFoundError(
            f"A {OWNER} is two files, and {CONFIG} is missing. Put it beside {source.path.name}, or pass it as "
            "`config=` (`--config`)."
        )
    model = fields.text("model")
    if model != "vits":
        fields.refuse("model", model, "'vits', the one model of Coqui TTS that can be converted")
    return fields


def read_voice(fields: JsonReader) -> CoquiVoice:
    """
    Check the fields.

    Raises:
        ValueError: if one is missing, of a wrong type or out of range, or asks for what cannot be built; names it.
    """
    upsampled = _is_upsampled(fields)
    languages, language_note = _languages(fields)
    return CoquiVoice(
        fields=fields,
        in_file=_in_file(fields),
        known=_known(fields),
        hop_length=fields.whole("audio.hop_length", 256, least=1),
        fft_size=fields.whole("audio.fft_size", 1024, least=2),
        upsampled=upsampled,
        durations_see_speaker=fields.flag("model_args.condition_dp_on_speaker", True),
        speakers=tuple(fields.texts("speakers", [])),
        speaker_files=_names(fields, "speakers_file", "speaker_file"),
        vector_files=_names(fields, "d_vector_file"),
        languages=languages,
        language_files=_names(fields, "language_ids_file"),
        periods=fields.wholes("model_args.periods_multi_period_discriminator", None),
        notes=(*language_note, *_other_notes(fields, upsampled)),
    )


def word(fields: JsonReader, path: str) -> str | None:
    """Return a string; `None` if it is empty or missing, which Coqui's files do not distinguish."""
    value = fields.value(path, None)
    if value is not None and not isinstance(value, str):
        fields.refuse(path, value, "a string")
    return value or None


def _is_upsampled(fields: JsonReader) -> bool:
    rate = fields.whole("model_args.encoder_sample_rate", None, least=1)
    if rate is None or rate == fields.whole("audio.sample_rate", 22_050, least=1):
        return False
    if fields.flag("model_args.interpolate_z", True):
        raise ValueError(
            f"`model_args.encoder_sample_rate` in {fields.file} is {rate}, with `interpolate_z`: this voice stretches "
            "its latents between flow and decoder, for which the model here has no layer. It cannot be converted."
        )
    return True


def _in_file(fields: JsonReader) -> dict[str, Any]:
    """Return the fields of our configuration that shapes determine too; `None` where the file has no value."""

    def whole(name: str) -> int | None:
        return fields.whole(f"model_args.{name}", None)

    sdp = fields.flag("model_args.use_sdp", None)
    return {
        "hidden_size": whole("hidden_channels"),
        "flow_size": whole("hidden_channels"),
        "ffn_dim": whole("hidden_channels_ffn_text_encoder"),
        "num_attention_heads": whole("num_heads_text_encoder"),
        "num_hidden_layers": whole("num_layers_text_encoder"),
        "ffn_kernel_size": whole("kernel_size_text_encoder"),
        "wavenet_kernel_size": whole("kernel_size_flow"),
        "prior_encoder_num_wavenet_layers": whole("num_layers_flow"),
        "posterior_encoder_num_wavenet_layers": whole("num_layers_posterior_encoder"),
        "spectrogram_bins": whole("out_channels"),
        "upsample_initial_channel": whole("upsample_initial_channel_decoder"),
        "upsample_kernel_sizes": fields.wholes("model_args.upsample_kernel_sizes_decoder", None),
        "resblock_kernel_sizes": fields.wholes("model_args.resblock_kernel_sizes_decoder", None),
        "resblock_type": word(fields, "model_args.resblock_type_decoder"),
        "use_stochastic_duration_prediction": sdp,
    }


def _known(fields: JsonReader) -> dict[str, Any]:
    """Return the fields of our configuration that only the file determines."""
    dilation = fields.whole("model_args.dilation_rate_flow", 1, least=1)
    other = fields.whole("model_args.dilation_rate_posterior_encoder", 1, least=1)
    if other != dilation:
        fields.refuse(
            "model_args.dilation_rate_posterior_encoder", other, f"{dilation}, as `dilation_rate_flow`, to be converted"
        )
    dropout = fields.number("model_args.dropout_p_text_encoder", 0.1)
    length_scale = fields.number("model_args.length_scale", 1.0, positive=True)
    fmax = fields.number("audio.mel_fmax", 0.0)
    return {
        "upsample_rates": fields.wholes("model_args.upsample_rates_decoder", [8, 8, 2, 2]),
        "resblock_dilation_sizes": fields.rows("model_args.resblock_dilation_sizes_decoder", [[1, 3, 5]] * 3),
        "wavenet_dilation_rate": dilation,
        "hidden_dropout": dropout,
        "attention_dropout": dropout,
        "activation_dropout": dropout,
        "duration_predictor_dropout": fields.number("model_args.dropout_p_duration_predictor", 0.5),
        "noise_scale": fields.number("model_args.inference_noise_scale", 0.667),
        "noise_scale_duration": fields.number("model_args.inference_noise_scale_dp", 1.0),
        "speaking_rate": 1 / length_scale,
        "sampling_rate": fields.whole("audio.sample_rate", 22_050, least=1),
        "win_length": fields.whole("audio.win_length", 1024, least=1),
        "num_mel_bins": fields.whole("audio.num_mels", 80, least=1),
        "mel_fmin": fields.number("audio.mel_fmin", 0.0),
        "mel_fmax": fmax or None,
    }


def _names(fields: JsonReader, *keys: str) -> tuple[str, ...]:
    """Return the names of the files that these keys give, without the folders of another machine."""
    names = []
    for path in (path for key in keys for path in (f"model_args.{key}", key)):
        value = fields.value(path, [])
        files = value if isinstance(value, list) else [value]
        if not all(isinstance(file, str) for file in files):
            fields.refuse(path, value, "the name of a file, or a list of them")
        names += [Path(file.replace("\\", "/")).name for file in files if file]
    return tuple(dict.fromkeys(name for name in names if name))


def _languages(fields: JsonReader) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the languages in the order of their ids, and a note if they are assumed."""
    if named := fields.texts("languages", []):
        return tuple(named), ()
    sets = fields.value("datasets", [])
    if not isinstance(sets, list) or not all(isinstance(item, Mapping) for item in sets):
        fields.refuse("datasets", sets, "a list of objects")
    found = {item["language"] for item in sets if isinstance(item.get("language"), str) and item["language"]}
    if found:
        return tuple(sorted(found)), ()
    if phonemes := word(fields, "phoneme_language"):
        return (phonemes,), ()
    return ("en",), ("Assumed, as no file names a language: the texts are English.",)


def _other_notes(fields: JsonReader, upsampled: bool) -> tuple[str, ...]:
    notes = []
    if upsampled:
        notes.append(
            f"Its posterior encoder takes {fields.whole('model_args.encoder_sample_rate'):,} Hz, its decoder makes "
            f"{fields.whole('audio.sample_rate', 22_050):,} Hz: left out, what only training uses. It can speak."
        )
    if (longest := fields.whole("model_args.max_inference_len", None)) is not None:
        notes.append(f"Left out, `max_inference_len` {longest}: speech is not cut off.")
    return tuple(notes)


SPEAKERS = ("speakers.pth", "speaker_ids.json", "speakers.json", "speaker_ids.pth")
LANGUAGES = ("language_ids.json", "language_ids.pth")
VECTORS = ("d_vectors.pth", "d_vectors.json", "speakers.pth", "speakers.json")
"""Names of such files if the configuration has none."""

LARGEST_FILE = 2**29
"""Bytes; enough for a vector for each of a hundred thousand clips."""


def speakers(tensors: Tensors, voice: CoquiVoice, source: Source) -> tuple[Tensors, list[str] | None, Notes]:
    """
    Return tensors by original name with a speaker table if there are several speakers, their names, and notes.

    Raises:
        FileNotFoundError: if the vectors are in a file, which is missing.
        ValueError: if a file is damaged or does not fit the network, or its only speaker cannot be folded.
    """
    size = next((tensors[name].shape[1] for p in PARAMETERS if (name := f"dec.cond{p}") in tensors), 0)
    if SPEAKER_TABLE in tensors:
        names, notes = _speaker_names(len(tensors[SPEAKER_TABLE]), voice, source)
    elif size:
        tensors, names, notes = _with_table(tensors, size, voice, source)
    else:
        return tensors, None, ()
    if len(tensors[SPEAKER_TABLE]) > 1:
        return tensors, names, notes
    folded, note = fold_only_speaker(tensors)
    return folded, names, (*notes, *note)


def _with_table(tensors: Tensors, size: int, voice: CoquiVoice, source: Source) -> tuple[Tensors, list[str], Notes]:
    """Add a speaker table to a network that takes vectors from outside."""
    vectors = _vectors(voice, source)
    names = sorted(vectors)
    odd = next((name for name in names if len(vectors[name]) != size), None)
    if odd is not None:
        raise ValueError(
            f"The vector of {odd!r} has {len(vectors[odd])} numbers, but the network takes {size}. Do the files belong "
            "together?"
        )
    table = F.normalize(torch.stack([vectors[name] for name in names]))  # as Coqui does at each call
    note = f"The mean of each speaker's vectors became the speaker's row of a table: {listed(names)}."
    return {**tensors, SPEAKER_TABLE: table.float()}, names, (note,)


def _speaker_names(count: int, voice: CoquiVoice, source: Source) -> tuple[list[str] | None, Notes]:
    """Return the names of the rows of a table of so many speakers, or `None`; and notes."""
    if voice.speakers:
        rows = {name: row for row, name in enumerate(voice.speakers)}
        return row_names(rows, count, "speaker", str(voice.fields.file))
    file = source.beside(*voice.speaker_files, *SPEAKERS)
    if file is None:
        wanted = (voice.speaker_files or SPEAKERS)[0]
        return None, (f"The speakers have no names: there is no {wanted} beside the checkpoint.",)
    return row_names(_contents(file), count, "speaker", str(file))


def language_names(count: int, voice: CoquiVoice, source: Source) -> tuple[list[str] | None, Notes]:
    """Return the names of the rows of a table of so many languages, or `None`; and notes."""
    file = source.beside(*voice.language_files, *LANGUAGES)
    if file is not None:
        return row_names(_contents(file), count, "language", str(file))
    if len(voice.languages) != count:
        return None, (f"The {count} languages have no names: there is no {LANGUAGES[0]} beside the checkpoint.",)
    return list(voice.languages), ()


def _vectors(voice: CoquiVoice, source: Source) -> dict[str, Tensor]:
    """Return the mean of the vectors of each speaker (S,), by name."""
    wanted = voice.vector_files or VECTORS[:1]
    files = [file for name in wanted if (file := source.beside(name))]
    if not files and (usual := source.beside(*VECTORS)):
        files = [usual]
    elif len(files) < len(wanted):
        raise FileNotFoundError(
            "This voice takes speaker vectors from outside, and a file of them is missing. Put "
            f"{', '.join(wanted)} of the run (Coqui's `d_vector_file`) beside {source.path.name}."
        )
    clips: dict[str, list[Tensor]] = {}
    for file in files:
        contents = _contents(file)
        for clip, entry in contents.items():
            if not (isinstance(entry, Mapping) and isinstance(entry.get("name"), str)):
                raise ValueError(f"{file} has no name and vector for {str(clip)[:60]!r}; it is not a file of vectors.")
            clips.setdefault(entry["name"], []).append(_vector(entry.get("embedding"), file))
    if not clips:
        raise ValueError(f"{files[0]} holds no vector.")
    return {name: _mean(vectors, name) for name, vectors in clips.items()}


def _mean(vectors: list[Tensor], name: str) -> Tensor:
    if len({len(vector) for vector in vectors}) > 1:
        raise ValueError(f"The vectors of {name!r} are not all of one length.")
    return torch.stack(vectors).mean(dim=0)


def _vector(value: Any, file: Path) -> Tensor:
    try:
        vector = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{file} has an `embedding` that is not a list of numbers ({error}).") from error
    if vector.dim() != 1 or not len(vector) or not vector.isfinite().all():
        raise ValueError(f"{file} has an `embedding` of the shape {tuple(vector.shape)}; it must be a list of numbers.")
    return vector


def _contents(file: Path) -> Mapping[str, Any]:
    """Return the table in a file of names or vectors."""
    contents = read_json(file, LARGEST_FILE) if file.suffix == ".json" else read_contents(file)
    if not isinstance(contents, Mapping) or not contents:
        raise ValueError(f"{file} holds a {type(contents).__name__} and no table of names; fetch it again.")
    return contents
