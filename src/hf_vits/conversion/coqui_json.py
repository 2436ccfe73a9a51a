"""A Coqui voice's config.json: what it says about the network, sound and names, checked field by field."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_vits.conversion.json_fields import Fields, read_fields
from hf_vits.conversion.source import Source

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
    The fields that leave no trace in the shapes of weights, and the names of files that belong to the voice.

    `said` are those fields of [`VitsConfig`] that the shapes tell too. `languages` may be known of a voice that has no
    vectors of them; `upsampled` is whether the decoder's rate is another than that of all before it.
    """

    fields: Fields
    said: dict[str, Any]
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


def fields_of(source: Source) -> Fields:
    """
    The configuration that was given, or lies beside the checkpoint, or is in it.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is damaged, or that of another model.
    """
    file = source.config or source.beside(CONFIG)
    inside = source.checkpoint.rest.get("config")
    if file is not None:
        fields = read_fields(file, OWNER)
    elif isinstance(inside, Mapping):
        fields = Fields(source.path, inside, OWNER)
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


def read_voice(fields: Fields) -> CoquiVoice:
    """
    Checks the fields.

    Raises:
        ValueError: if one is missing, of a wrong type or out of range, or asks for what cannot be built; names it.
    """
    upsampled = _is_upsampled(fields)
    languages, language_note = _languages(fields)
    return CoquiVoice(
        fields=fields,
        said=_said(fields),
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


def word(fields: Fields, path: str) -> str | None:
    """A string; `None` if it is empty or missing, which are alike in Coqui's files."""
    value = fields.value(path, None)
    if value is not None and not isinstance(value, str):
        fields.refuse(path, value, "a string")
    return value or None


def _is_upsampled(fields: Fields) -> bool:
    rate = fields.whole("model_args.encoder_sample_rate", None, least=1)
    if rate is None or rate == fields.whole("audio.sample_rate", 22_050, least=1):
        return False
    if fields.flag("model_args.interpolate_z", True):
        raise ValueError(
            f"`model_args.encoder_sample_rate` in {fields.file} is {rate}, with `interpolate_z`: this voice stretches "
            "its latents between flow and decoder, for which the model here has no layer. It cannot be converted."
        )
    return True


def _said(fields: Fields) -> dict[str, Any]:
    """Fields of our configuration that the shapes of weights tell as well; `None` where the file says nothing."""

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


def _known(fields: Fields) -> dict[str, Any]:
    """Fields of our configuration that only the file tells."""
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


def _names(fields: Fields, *keys: str) -> tuple[str, ...]:
    """Names, without the folders of another machine, of the files that these keys give, of the network or of all."""
    names = []
    for path in (path for key in keys for path in (f"model_args.{key}", key)):
        value = fields.value(path, [])
        files = value if isinstance(value, list) else [value]
        if not all(isinstance(file, str) for file in files):
            fields.refuse(path, value, "the name of a file, or a list of them")
        names += [Path(file.replace("\\", "/")).name for file in files if file]
    return tuple(dict.fromkeys(name for name in names if name))


def _languages(fields: Fields) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the languages in the order of their ids, and a note if Coqui, too, would have to guess them."""
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
    return ("en",), ("Assumed, as no file tells: the texts are English.",)


def _other_notes(fields: Fields, upsampled: bool) -> tuple[str, ...]:
    notes = []
    if upsampled:
        notes.append(
            f"Its posterior encoder heard {fields.whole('model_args.encoder_sample_rate'):,} Hz, its decoder makes "
            f"{fields.whole('audio.sample_rate', 22_050):,} Hz: left out, what only training uses. It can speak."
        )
    if (longest := fields.whole("model_args.max_inference_len", None)) is not None:
        notes.append(f"Left out, `max_inference_len` {longest}: speech is not cut off.")
    return tuple(notes)
