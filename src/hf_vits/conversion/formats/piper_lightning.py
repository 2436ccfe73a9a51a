"""Piper's training checkpoints (PyTorch Lightning's `epoch=….ckpt`): whole voices with their discriminators."""

from ast import literal_eval
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import left_out
from hf_vits.conversion.converted import Converted, licence_beside, trainable
from hf_vits.conversion.discriminators import (
    ConvertedDiscriminator,
    DiscriminatorFiles,
    check_norm,
    converted,
    read_discriminator,
)
from hf_vits.conversion.formats.piper_common import (
    PiperVoice,
    check_agreement,
    config_fields,
    read_voice,
    tokenizer,
    what,
)
from hf_vits.conversion.key_mapping import translate
from hf_vits.conversion.schema import JsonReader
from hf_vits.conversion.shape_inference import decoder_fields, infer_config
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import rename_tensors
from hf_vits.utils.formatting import listed

GENERATOR, JUDGES = "model_g.", "model_d."

OTHERS = ((r"model_mrd\.", "judges of spectra, which VITS has not"),)
"""Parts of newer checkpoints that are dropped, and why."""

TOLD = "hyper_parameters"

RATES = {(16, 16, 8): [8, 8, 4], (16, 16, 4, 4): [8, 8, 2, 2]}
"""Upsampling kernels of Piper's qualities, and their rates."""

DILATIONS = {("2", (3, 5, 7)): [[1, 2], [2, 6], [3, 12]], ("1", (3, 7, 11)): [[1, 3, 5]] * 3}
"""Type and kernels of residual blocks of Piper's qualities, and their dilations."""

PIPER_JUDGES = {"periods": [2, 3, 5, 7, 11], "period_stride": 3, "scales": 1}
"""What Piper's program does not let one choose."""

LONGEST_LITERAL = 1000


def recognises(source: Source) -> bool:
    """Whether the file is of this format."""
    return source.has_tensors(GENERATOR + "enc_p.", GENERATOR + "dec.")


def convert(source: Source) -> Converted:
    """
    Converts a voice with its discriminators; the symbols and speakers are in the JSON that its training wrote.

    Raises:
        FileNotFoundError: if there is no JSON file.
        ValueError: if a file is damaged, or they do not describe one VITS voice.
    """
    checkpoint, file = source.checkpoint, _voice_file(source)
    voice = read_voice(file)
    parts = _parts(checkpoint.tensors)
    state_dict, notes = rename_tensors(parts[GENERATOR])
    config, told = _config(state_dict, source, voice)
    _, others = translate(parts[""], (), OTHERS, "Piper checkpoint")
    judges, said = _judges(parts[JUDGES], source)
    origin, licensed = licence_beside(source)
    return Converted(
        config,
        state_dict,
        tokenizer(voice),
        (
            what(voice, config, state_dict),
            f"Symbols, speakers and sampling rate are those of {file.name}.",
            *told,
            *trainable(config, judges),
            *said,
            *licensed,
            *notes,
            *others,
            *voice.notes,
            *checkpoint.notes,
            *left_out(checkpoint.rest, TOLD),
        ),
        judges,
        origin,
    )


def _voice_file(source: Source) -> Path:
    """The JSON of the voice: given, beside the checkpoint, or where `piper_train` has it, above Lightning's logs."""
    if source.config is not None:
        return source.config
    path = source.path.absolute()  # in the Hub's cache it is a link to a file of another name
    if beside := source.beside(path.name + ".json", path.stem + ".onnx.json", "config.json"):
        return beside
    exported = sorted(path.parent.glob("*.onnx.json"))
    if len(exported) > 1:
        raise ValueError(
            f"Beside {path} are several voices' files: {listed([file.name for file in exported])}. Say which is its "
            "own with `config=` (`--config`)."
        )
    above = path.parents[3] / "config.json" if "lightning_logs" in path.parts[-4:-3] else None
    if exported or (above and above.is_file()):
        return exported[0] if exported else above
    raise FileNotFoundError(
        f"{path} does not hold its voice's symbols, so it could not speak a text. They are in the config.json that "
        "Piper wrote when the data was prepared (`--data.config_path`), and in the <voice>.onnx.json of an exported or "
        "released voice. Put one beside it, or pass it as `config=` (`--config`)."
    )


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors of the voice and of its judges without their prefix, and all others as they are."""
    parts: dict[str, dict[str, Tensor]] = {GENERATOR: {}, JUDGES: {}, "": {}}
    for name, tensor in tensors.items():
        prefix = next(prefix for prefix in parts if name.startswith(prefix))
        parts[prefix][name.removeprefix(prefix)] = tensor
    return parts


def _config(tensors: Mapping[str, Tensor], source: Source, voice: PiperVoice) -> tuple[VitsConfig, tuple[str, ...]]:
    fields = _told(source)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    decoder = decoder_fields(shapes)
    rates, assumed_rates = _rates(fields, decoder)
    dilations, assumed_dilations = _dilations(fields, decoder)
    config = infer_config(
        shapes,
        upsample_rates=rates,
        resblock_dilation_sizes=dilations,
        **config_fields(voice),
        **_training_fields(fields),
    )
    check_agreement(voice, config, source.path)
    notes = assumed_rates + assumed_dilations
    said = fields.whole(f"{TOLD}.sample_rate", config.sampling_rate)
    if said != config.sampling_rate:
        notes += (f"Left out, the checkpoint's own sampling rate of {said:,} Hz.",)
    for name, built in (("hop_length", config.hop_length), ("filter_length", config.fft_size)):
        said = fields.whole(f"{TOLD}.{name}", built)
        if said != built and not (config.inference_only and name == "filter_length"):
            raise ValueError(
                f"`{TOLD}.{name}` in {source.path} is {said}, but its weights and rates make it {built}; it is damaged."
            )
    return config, notes


def _told(source: Source) -> JsonReader:
    """What the program was called with, in the terms of JSON."""
    told = source.checkpoint.rest.get(TOLD)
    if isinstance(told, Mapping):
        told = {name: _as_json(value) for name, value in told.items()}
    return JsonReader(source.path, {TOLD: {} if told is None else told}, "Piper checkpoint")


def _as_json(value: Any, levels: int = 3) -> Any:
    """Tuples as lists; so too where Lightning's command line left them as text. No deeper than `levels`."""
    if isinstance(value, str) and value[:1] in ("(", "[") and len(value) <= LONGEST_LITERAL:
        try:
            return _as_json(literal_eval(value), levels)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    if levels and isinstance(value, list | tuple):
        return [_as_json(item, levels - 1) for item in value]
    return value


def _training_fields(fields: JsonReader) -> dict[str, Any]:
    """What only training uses, as far as it is told."""
    dropout = fields.number(f"{TOLD}.p_dropout", 0.1)
    known = {name: dropout for name in ("hidden_dropout", "attention_dropout", "activation_dropout")}
    known["num_mel_bins"] = fields.whole(f"{TOLD}.mel_channels", 80, least=1)
    known["mel_fmin"] = fields.number(f"{TOLD}.mel_fmin", 0.0)
    if fields.value(f"{TOLD}.mel_fmax", None) is not None:
        known["mel_fmax"] = fields.number(f"{TOLD}.mel_fmax", 0.0, positive=True)
    window = fields.whole(f"{TOLD}.win_length", None, least=1)
    if window != fields.whole(f"{TOLD}.filter_length", None, least=2):
        known["win_length"] = window
    return known


def _rates(fields: JsonReader, shapes: Mapping[str, Any]) -> tuple[list[int], tuple[str, ...]]:
    """The decoder's upsampling rates, and a note if they are assumed."""
    if told := fields.wholes(f"{TOLD}.upsample_rates", None):
        return told, ()
    kernels = shapes["upsample_kernel_sizes"]
    if (rates := RATES.get(tuple(kernels))) is None:
        raise ValueError(
            f"{fields.file} does not tell its upsampling rates (`{TOLD}.upsample_rates`), and no quality of Piper has "
            f"its kernels {kernels}."
        )
    return rates, (f"Assumed from the kernels {kernels}, as the file does not tell: upsampling rates {rates}.",)


def _dilations(fields: JsonReader, shapes: Mapping[str, Any]) -> tuple[list[list[int]], tuple[str, ...]]:
    """The dilations of its residual blocks, and a note if they are assumed."""
    if told := fields.rows(f"{TOLD}.resblock_dilation_sizes", None):
        return told, ()
    kind, kernels = shapes["resblock_type"], shapes["resblock_kernel_sizes"]
    if (dilations := DILATIONS.get((kind, tuple(kernels)))) is None:
        raise ValueError(
            f"{fields.file} does not tell the dilations of its residual blocks (`{TOLD}.resblock_dilation_sizes`), and "
            f"no quality of Piper has blocks of type {kind} with its kernels {kernels}."
        )
    return dilations, (f"Assumed from the kernels {kernels}, as the file does not tell: dilations {dilations}.",)


def _judges(tensors: Mapping[str, Tensor], source: Source) -> tuple[ConvertedDiscriminator | None, tuple[str, ...]]:
    """The discriminators that were given, or the checkpoint's own; and a note if its own were left out."""
    if source.discriminator is not None:
        own = ("Left out, its own discriminators: others were given.",) if tensors else ()
        return read_discriminator(source.discriminator), own
    if not tensors:
        return None, ()
    try:
        check_norm(list(tensors))
    except ValueError as error:
        return None, (f"Left out, its discriminators. {error}",)
    return converted(DiscriminatorFiles(source.path, tensors, PIPER_JUDGES)), ()
