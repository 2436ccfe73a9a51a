"""Folders in Hugging Face's layout: of upstream transformers, and of finetune-hf-vits with its discriminators."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from torch import Tensor
from transformers import PreTrainedConfig

from hf_vits.configuration_vits import EXTENDED_MODEL_TYPE, VitsConfig
from hf_vits.conversion.checkpoint import left_out, unwrapped
from hf_vits.conversion.converted import Converted, license_note, training_notes
from hf_vits.conversion.discriminators import (
    FINE_TUNER,
    INSIDE_MODEL,
    SUBFOLDER,
    ConvertedDiscriminator,
    DiscriminatorFiles,
    convert_files,
    discriminator_fields,
    file_in,
    find,
    read_discriminator,
)
from hf_vits.conversion.schema import read_fields
from hf_vits.conversion.shape_inference import undetermined_fields
from hf_vits.conversion.source import Source
from hf_vits.hub.license import CARD, Provenance, inherit_license, origin_of
from hf_vits.hub.model_files import CONFIG, PICKLE_NAMES, SAFE_NAMES, VOCABULARY
from hf_vits.hub.state_dict import TRAINING_ONLY, read_state_dict
from hf_vits.modules.weight_norm import NEW_G, OLD_G
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.formatting import listed

OWNER = "VITS voice"

READ = (CONFIG, CARD, VOCABULARY, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""Files beside the weights that are read; others are left out with a note."""

PRE_TRAINING = "VitsModelForPreTraining"
"""What finetune-hf-vits calls a voice with its discriminators, in `architectures`."""

USUAL = {"_name_or_path", "model_type", "torch_dtype", "transformers_version", "hop_length"}
"""Fields of a config.json that do not describe the voice, or are checked and not kept."""


def recognizes(source: Source) -> bool:
    """Return whether it is of this format."""
    return source.path.is_dir() or source.has_tensors("text_encoder.embed_tokens.", "decoder.")


def convert(source: Source) -> Converted:
    """
    Convert a voice; files that a `checkpoint-N` lacks are looked for one folder up.

    Raises:
        FileNotFoundError: if there is no config.json.
        ValueError: if a file is damaged, or they do not describe one VITS voice.
    """
    folder, checkpoint = source.folder, source.checkpoint
    tensors = unwrapped(read_state_dict(str(folder))) if checkpoint is None else checkpoint.tensors
    generator = {name: tensor for name, tensor in tensors.items() if not name.startswith(INSIDE_MODEL)}
    file = _config_file(source, generator)
    config, config_notes = _config(file, folder, generator)
    if config.inference_only:
        generator = {name: tensor for name, tensor in generator.items() if not name.startswith(TRAINING_ONLY)}
    discriminator, discriminator_file = _discriminator(source, file, tensors)
    tokenizer, tokenizer_notes = _tokenizer(folder, file.parent, config)
    origin = _origin(folder if (folder / CARD).is_file() else file.parent, file)
    notes = (
        *config_notes,
        *training_notes(config, discriminator),
        *tokenizer_notes,
        *license_note(origin),
        *_weight_norm_notes(generator),
        *_unused(source, tensors, generator),
        *((*checkpoint.notes, *left_out(checkpoint.rest)) if checkpoint else _other_files(folder, discriminator_file)),
    )
    return Converted(config, generator, tokenizer, notes, discriminator, origin)


def _origin(folder: Path, file: Path) -> Provenance:
    """Return what the card of a folder says, or the name that transformers wrote into its config.json."""
    base = read_fields(file, OWNER).data.get("_name_or_path")
    return inherit_license(origin_of(str(folder)), base if isinstance(base, str) else None)


def _config_file(source: Source, generator: Mapping[str, Tensor]) -> Path:
    folder = source.folder
    places = [source.config] if source.config else [folder / CONFIG, folder.absolute().parent / CONFIG]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        fields = undetermined_fields({name: tuple(tensor.shape) for name, tensor in generator.items()})
        raise FileNotFoundError(
            f"There is no {' or '.join(map(str, places))}, which describes the architecture. It is in the output "
            "folder of the training; put it beside the weights, or pass it as `config=` (`--config`). The tensors do "
            f"not determine {listed(fields)}."
        )
    return found


def _config(file: Path, folder: Path, generator: Mapping[str, Tensor]) -> tuple[VitsConfig, tuple[str, ...]]:
    """Return the configuration without the fields of training programs, and notes."""
    data = read_fields(file, OWNER).data
    model_type = data.get("model_type")
    if model_type not in ("vits", EXTENDED_MODEL_TYPE):
        raise ValueError(
            f"`model_type` in {file} is {str(model_type)[:60]!r}; that of a VITS voice is 'vits' or "
            f"{EXTENDED_MODEL_TYPE!r}."
        )
    kept = {name: value for name, value in data.items() if name in VitsConfig.__annotations__ or name == "hop_length"}
    lacking = not kept.get("inference_only") and not any(name.startswith(TRAINING_ONLY[0]) for name in generator)
    try:
        config = VitsConfig.from_dict({**kept, "model_type": "vits", **({"inference_only": True} if lacking else {})})
    except (StrictDataclassError, ValueError) as error:
        raise ValueError(f"{file} does not describe a VITS voice. {error.__cause__ or error}") from error
    usual = USUAL | {field.name for field in fields(PreTrainedConfig)}
    others = [name[:60] for name in data if name not in kept and name not in usual]
    notes = [f"The architecture is that of {file.name}{_above(file.parent, folder)}."]
    if others:
        notes.append(f"Left out, fields of {CONFIG} that a voice does not use: {listed(others, 12)}.")
    return config, (*notes, *_speaker_notes(config, data))


def _speaker_notes(config: VitsConfig, data: Mapping[str, Any]) -> Iterable[str]:
    if config.num_speakers == 1 or config.speaker_names is not None:
        return
    yield (
        f"The names of its {config.num_speakers} speakers are not in these files; they are known by number. "
        f"`speaker_names` in {CONFIG} gives them names."
    )
    is_fine_tuned = PRE_TRAINING in str(data.get("architectures")) or any(name in data for name in FINE_TUNER)
    if is_fine_tuned and config.num_speakers % 2 == 0:
        yield (
            "finetune-hf-vits makes the number of speakers even: the last one may be unused, with a vector that was "
            "never trained."
        )


def _discriminator(
    source: Source, config: Path, tensors: Mapping[str, Tensor]
) -> tuple[ConvertedDiscriminator | None, Path | None]:
    """Return the discriminators that were given, are among the weights or beside them, and the file beside them."""
    if source.discriminator is not None:
        return read_discriminator(source.discriminator), None
    inside = {name: tensor for name, tensor in tensors.items() if name.startswith(INSIDE_MODEL)}
    if inside:
        return convert_files(DiscriminatorFiles(source.folder, inside, discriminator_fields(config))), None
    if (source.folder / SUBFOLDER).is_dir() or file_in(source.folder):
        files = find(source.folder)
        from_config = files.from_config or discriminator_fields(config)
        return convert_files(replace(files, from_config=from_config)), files.source
    return None, None


def _tokenizer(folder: Path, home: Path, config: VitsConfig) -> tuple[VitsTokenizer | None, tuple[str, ...]]:
    place = next((place for place in (folder, home) if (place / VOCABULARY).is_file()), None)
    if place is None:
        return None, (
            f"It has no tokenizer, without which it cannot speak a text: put {VOCABULARY} and tokenizer_config.json of "
            "the voice it was trained from into the new folder.",
        )
    tokenizer = VitsTokenizer.from_pretrained(str(place))
    highest = max(tokenizer.encoder.values())
    if highest >= config.vocab_size:
        raise ValueError(
            f"{place / VOCABULARY} has id {highest}, but the voice has ids 0 to {config.vocab_size - 1}. Do they "
            "belong together?"
        )
    return tokenizer, (f"Its tokens are those of {VOCABULARY}{_above(place, folder)}.",)


def _above(place: Path, folder: Path) -> str:
    return " one folder up" if place == folder.absolute().parent else ""


def _weight_norm_notes(names: Iterable[str]) -> Iterable[str]:
    """List layers whose weight norm is in another format than in a saved voice, where only the WaveNets have it."""
    old, folded, plain = [], [], []
    for name in names:
        wavenet = ".wavenet." in name
        ending = next((ending for ending in (OLD_G, NEW_G) if name.endswith(ending)), None)
        if ending and (ending == OLD_G or not wavenet):
            (old if wavenet else folded).append(name.removesuffix(ending))
        elif wavenet and name.endswith(".weight"):
            plain.append(name.removesuffix(".weight"))
    for what, layers in (
        ("Converted, weight norm from weight_g and weight_v", old),
        ("Folded, weight norm that only training has", folded),
        ("Unfolded, weights that had lost their weight norm", plain),
    ):
        if layers:
            yield f"{what} in {len(layers)} layers: {listed(sorted(layers))}."


def _unused(source: Source, tensors: Mapping[str, Tensor], generator: Mapping[str, Tensor]) -> Iterable[str]:
    unused = [name for name in tensors if name not in generator and not name.startswith(INSIDE_MODEL)]
    if unused:
        yield f"Left out, used in training only: {listed(unused)}."
    if source.discriminator is not None and any(name.startswith(INSIDE_MODEL) for name in tensors):
        yield "Left out, its own discriminators: others were given."


def _other_files(folder: Path, discriminator: Path | None) -> tuple[str, ...]:
    """List files of the folder that are neither weights nor read."""
    weights = next(folder / name for name in (*SAFE_NAMES, *PICKLE_NAMES) if (folder / name).is_file())
    used = {*(folder / name for name in READ), weights, discriminator}
    shards = weights.name.split(".")[0] + "-"
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith(shards))
    others = [file.name for file in files if file not in used]
    return (f"Left out, files of training or of other programs: {listed(others, 12)}.",) if others else ()
