"""Piper's training checkpoints (PyTorch Lightning's `epoch=….ckpt`): whole voices with their discriminators."""

from ast import literal_eval
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import left_out
from hf_vits.conversion.converted import Converted, license_beside, training_notes
from hf_vits.conversion.discriminators import (
    ConvertedDiscriminator,
    DiscriminatorFiles,
    check_norm,
    convert_files,
    read_discriminator,
)
from hf_vits.conversion.formats.piper_common import PiperVoice, read_voice
from hf_vits.conversion.key_mapping import translate
from hf_vits.conversion.schema import JsonReader, check_agreement
from hf_vits.conversion.shape_inference import decoder_fields, infer_config
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import rename_tensors
from hf_vits.utils.formatting import listed

GENERATOR, DISCRIMINATOR = "model_g.", "model_d."

OTHERS = ((r"model_mrd\.", "discriminators of spectra, which VITS does not have"),)
"""Parts of newer checkpoints that are left out, and why."""

ARGUMENTS = "hyper_parameters"
"""Entry with the arguments of the training."""

RATES = {(16, 16, 8): [8, 8, 4], (16, 16, 4, 4): [8, 8, 2, 2]}
"""Upsampling kernels of Piper's qualities, and their rates."""

DILATIONS = {("2", (3, 5, 7)): [[1, 2], [2, 6], [3, 12]], ("1", (3, 7, 11)): [[1, 3, 5]] * 3}
"""Type and kernels of residual blocks of Piper's qualities, and their dilations."""

FIXED_FIELDS = {"periods": [2, 3, 5, 7, 11], "period_stride": 3, "scales": 1}
"""Fields of the discriminator that Piper's program does not let one choose."""

LONGEST_LITERAL = 1000

Notes = tuple[str, ...]


def recognizes(source: Source) -> bool:
    """Return whether the file is of this format."""
    return source.has_tensors(GENERATOR + "enc_p.", GENERATOR + "dec.")


def convert(source: Source) -> Converted:
    """
    Convert a voice with its discriminators; symbols and speakers are in the JSON file that its training wrote.

    Raises:
        FileNotFoundError: if there is no JSON file.
        ValueError: if a file is damaged, or they do not describe one VITS voice.
    """
    checkpoint = source.checkpoint
    voice = read_voice(_voice_file(source))
    parts = _parts(checkpoint.tensors)
    state_dict, renamed = rename_tensors(parts[GENERATOR])
    config, config_notes = _config(state_dict, source, voice)
    _, others = translate(parts[""], (), OTHERS, "Piper checkpoint")
    discriminator, discriminator_notes = _discriminator(parts[DISCRIMINATOR], source)
    origin, license_notes = license_beside(source)
    notes = (
        voice.describe(config, state_dict),
        f"Symbols, speakers and sampling rate are those of {voice.file.name}.",
        *config_notes,
        *training_notes(config, discriminator),
        *discriminator_notes,
        *license_notes,
        *renamed,
        *others,
        *voice.notes,
        *checkpoint.notes,
        *left_out(checkpoint.rest, ARGUMENTS),
    )
    return Converted(config, state_dict, voice.tokenizer(), notes, discriminator, origin)


def _voice_file(source: Source) -> Path:
    """Return the JSON file: given, beside the checkpoint, or where `piper_train` has it, above Lightning's logs."""
    if source.config is not None:
        return source.config
    path = source.path.absolute()  # in the Hub's cache it is a link to a file of another name
    if beside := source.beside(path.name + ".json", path.stem + ".onnx.json", "config.json"):
        return beside
    exported = sorted(path.parent.glob("*.onnx.json"))
    if len(exported) > 1:
        raise ValueError(
            f"Beside {path} are several voices' files: {listed([file.name for file in exported])}. Give the one that "
            "belongs to it with `config=` (`--config`)."
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
    """Return the tensors of the voice and of its discriminators without their prefix, and all others unchanged."""
    parts: dict[str, dict[str, Tensor]] = {GENERATOR: {}, DISCRIMINATOR: {}, "": {}}
    for name, tensor in tensors.items():
        prefix = next(prefix for prefix in parts if name.startswith(prefix))
        parts[prefix][name.removeprefix(prefix)] = tensor
    return parts


def _config(tensors: Mapping[str, Tensor], source: Source, voice: PiperVoice) -> tuple[VitsConfig, Notes]:
    fields = _arguments(source)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    decoder = decoder_fields(shapes)
    decoder = decoder.get("decoder", decoder)
    rates, rate_notes = _rates(fields, decoder)
    dilations, dilation_notes = _dilations(fields, decoder)
    config = infer_config(
        shapes,
        upsample_rates=rates,
        resblock_dilation_sizes=dilations,
        **voice.config_fields(),
        **_training_fields(fields),
    )
    voice.check(config)
    notes = rate_notes + dilation_notes
    own_rate = fields.whole(f"{ARGUMENTS}.sample_rate", config.sampling_rate)
    if own_rate != config.sampling_rate:
        notes += (f"Left out, the checkpoint's own sampling rate of {own_rate:,} Hz.",)
    built = {"hop_length": config.hop_length, **({} if config.inference_only else {"filter_length": config.fft_size})}
    paths = {f"{ARGUMENTS}.{name}": value for name, value in built.items()}
    check_agreement(((path, fields.whole(path, None), value) for path, value in paths.items()), source.path)
    return config, notes


def _arguments(source: Source) -> JsonReader:
    """Return the arguments of the training, as JSON would hold them."""
    arguments = source.checkpoint.rest.get(ARGUMENTS)
    if isinstance(arguments, Mapping):
        arguments = {name: _as_json(value) for name, value in arguments.items()}
    return JsonReader(source.path, {ARGUMENTS: {} if arguments is None else arguments}, "Piper checkpoint")


def _as_json(value: Any, levels: int = 3) -> Any:
    """Return tuples as lists, those too that Lightning's command line left as text; no deeper than `levels`."""
    if isinstance(value, str) and value[:1] in ("(", "[") and len(value) <= LONGEST_LITERAL:
        try:
            return _as_json(literal_eval(value), levels)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    if levels and isinstance(value, list | tuple):
        return [_as_json(item, levels - 1) for item in value]
    return value


def _training_fields(fields: JsonReader) -> dict[str, Any]:
    """Return the fields that only training uses, as far as the file has them."""
    dropout = fields.number(f"{ARGUMENTS}.p_dropout", 0.1)
    known = {name: dropout for name in ("hidden_dropout", "attention_dropout", "activation_dropout")}
    known["num_mel_bins"] = fields.whole(f"{ARGUMENTS}.mel_channels", 80, least=1)
    known["mel_fmin"] = fields.number(f"{ARGUMENTS}.mel_fmin", 0.0)
    if fields.value(f"{ARGUMENTS}.mel_fmax", None) is not None:
        known["mel_fmax"] = fields.number(f"{ARGUMENTS}.mel_fmax", 0.0, positive=True)
    window = fields.whole(f"{ARGUMENTS}.win_length", None, least=1)
    if window != fields.whole(f"{ARGUMENTS}.filter_length", None, least=2):
        known["win_length"] = window
    return known


def _rates(fields: JsonReader, decoder: Mapping[str, Any]) -> tuple[list[int], Notes]:
    """Return the decoder's upsampling rates, and a note if they are assumed."""
    if rates := fields.wholes(f"{ARGUMENTS}.upsample_rates", None):
        return rates, ()
    kernels = decoder["upsample_kernel_sizes"]
    if (rates := RATES.get(tuple(kernels))) is None:
        raise ValueError(
            f"{fields.file} does not have its upsampling rates (`{ARGUMENTS}.upsample_rates`), and no quality of Piper "
            f"has its kernels {kernels}."
        )
    return rates, (f"Assumed from the kernels {kernels}, as the file does not have them: upsampling rates {rates}.",)


def _dilations(fields: JsonReader, decoder: Mapping[str, Any]) -> tuple[list[list[int]], Notes]:
    """Return the dilations of its residual blocks, and a note if they are assumed."""
    if dilations := fields.rows(f"{ARGUMENTS}.resblock_dilation_sizes", None):
        return dilations, ()
    kind, kernels = decoder["resblock_type"], decoder["resblock_kernel_sizes"]
    if (dilations := DILATIONS.get((kind, tuple(kernels)))) is None:
        raise ValueError(
            f"{fields.file} does not have the dilations of its residual blocks "
            f"(`{ARGUMENTS}.resblock_dilation_sizes`), and no quality of Piper has blocks of type {kind} with its "
            f"kernels {kernels}."
        )
    return dilations, (f"Assumed from the kernels {kernels}, as the file does not have them: dilations {dilations}.",)


def _discriminator(tensors: Mapping[str, Tensor], source: Source) -> tuple[ConvertedDiscriminator | None, Notes]:
    """Return the discriminators that were given, or the checkpoint's own; and a note if its own were left out."""
    if source.discriminator is not None:
        own = ("Left out, its own discriminators: others were given.",) if tensors else ()
        return read_discriminator(source.discriminator), own
    if not tensors:
        return None, ()
    try:
        check_norm(tensors)
    except ValueError as error:
        return None, (f"Left out, its discriminators. {error}",)
    return convert_files(DiscriminatorFiles(source.path, tensors, FIXED_FIELDS)), ()
