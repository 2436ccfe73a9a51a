"""Folders in Hugging Face's layout: of stock transformers, and of finetune-hf-vits with its discriminators."""

from collections.abc import Iterable, Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from torch import Tensor
from transformers import PreTrainedConfig

from hf_vits.configuration_vits import EXTENDED_MODEL_TYPE, VitsConfig
from hf_vits.conversion.checkpoint import left_out, unwrapped
from hf_vits.conversion.converted import Converted, licence_note, trainable
from hf_vits.conversion.discriminators import (
    FINE_TUNER,
    INSIDE_VOICE,
    SUBFOLDER,
    ConvertedDiscriminator,
    DiscriminatorFiles,
    converted,
    find,
    judges_in,
    read_discriminator,
    said_in,
)
from hf_vits.conversion.schema import read_fields
from hf_vits.conversion.source import Source
from hf_vits.hub.license import CARD, Provenance, inherit_license, origin_of
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES, TRAINING_ONLY, read_state_dict
from hf_vits.modules.weight_norm import NEW_G, OLD_G
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.formatting import listed

CONFIG, VOCABULARY = "config.json", "vocab.json"

READ = (CONFIG, CARD, VOCABULARY, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""Files beside the weights that are read; others are left out with a note."""

PRE_TRAINING = "VitsModelForPreTraining"
"""What finetune-hf-vits calls a voice with its discriminators, in `architectures`."""

USUAL = {"_name_or_path", "model_type", "torch_dtype", "transformers_version", "hop_length"}
"""Fields of a config.json that say nothing of the voice, or are checked and not kept."""


def recognises(source: Source) -> bool:
    """Whether it is of this format."""
    return source.path.is_dir() or source.has_tensors("text_encoder.embed_tokens.", "decoder.conv_pre.")


def convert(source: Source) -> Converted:
    """
    Converts a voice; what a `checkpoint-N` lacks is looked for one folder up.

    Raises:
        FileNotFoundError: if there is no config.json.
        ValueError: if a file is damaged, or they do not describe one VITS voice.
    """
    folder = source.path if source.path.is_dir() else source.path.parent
    file = _config_file(source, folder)
    tensors = unwrapped(read_state_dict(str(folder))) if source.checkpoint is None else source.checkpoint.tensors
    voice = {name: tensor for name, tensor in tensors.items() if not name.startswith(INSIDE_VOICE)}
    config, told = _config(file, folder, voice)
    if config.inference_only:
        voice = {name: tensor for name, tensor in voice.items() if not name.startswith(TRAINING_ONLY)}
    judges, their_file = _judges(source, folder, file, tensors)
    front_end, of_text = _tokenizer(folder, file.parent, config)
    origin = _origin(folder if (folder / CARD).is_file() else file.parent, file)
    return Converted(
        config,
        voice,
        front_end,
        (
            *told,
            *trainable(config, judges),
            *of_text,
            *licence_note(origin),
            *_respelt(voice),
            *_unused(source, tensors, voice),
            *_files_left_out(source, folder, their_file),
            *((*source.checkpoint.notes, *left_out(source.checkpoint.rest)) if source.checkpoint else ()),
        ),
        judges,
        origin,
    )


def _origin(folder: Path, file: Path) -> Provenance:
    """What the card of a folder says, or the name that transformers wrote into its config.json."""
    base = read_fields(file, "VITS voice").data.get("_name_or_path")
    return inherit_license(origin_of(str(folder)), base if isinstance(base, str) else None)


def _config_file(source: Source, folder: Path) -> Path:
    places = [source.config] if source.config else [folder / CONFIG, folder.absolute().parent / CONFIG]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f"There is no {' or '.join(map(str, places))}, which says how the voice is built. It is in the output "
            "folder of its training; put it beside the weights, or pass it as `config=` (`--config`)."
        )
    return found


def _config(file: Path, folder: Path, voice: Mapping[str, Tensor]) -> tuple[VitsConfig, tuple[str, ...]]:
    """The configuration without the fields of training programs, and notes."""
    data = read_fields(file, "VITS voice").data
    kind = data.get("model_type")
    if kind not in ("vits", EXTENDED_MODEL_TYPE):
        raise ValueError(
            f"`model_type` in {file} is {str(kind)[:60]!r}; that of a VITS voice is 'vits' or {EXTENDED_MODEL_TYPE!r}."
        )
    kept = {name: value for name, value in data.items() if name in VitsConfig.__annotations__ or name == "hop_length"}
    lacking = not kept.get("inference_only") and not any(name.startswith(TRAINING_ONLY[0]) for name in voice)
    try:
        config = VitsConfig.from_dict({**kept, "model_type": "vits", **({"inference_only": True} if lacking else {})})
    except (StrictDataclassError, ValueError) as error:
        raise ValueError(f"{file} describes no VITS voice. {error.__cause__ or error}") from error
    usual = USUAL | {field.name for field in fields_of(PreTrainedConfig)}
    others = [name[:60] for name in data if name not in kept and name not in usual]
    notes = [f"The architecture is that of {file.name}{_above(file.parent, folder)}."]
    if others:
        notes.append(f"Left out, fields of {CONFIG} of which a voice has no use: {listed(others, 12)}.")
    return config, (*notes, *_of_speakers(config, data))


def _of_speakers(config: VitsConfig, data: Mapping[str, Any]) -> Iterable[str]:
    if config.num_speakers == 1 or config.speaker_names is not None:
        return
    yield (
        f"The names of its {config.num_speakers} speakers are not in these files; they are known by number. "
        f"`speaker_names` in {CONFIG} gives them names."
    )
    if _fine_tuned(data) and config.num_speakers % 2 == 0:
        yield (
            "finetune-hf-vits makes the number of speakers even: the last one may be nobody, whose vector was never "
            "trained."
        )


def _fine_tuned(data: Mapping[str, Any]) -> bool:
    return PRE_TRAINING in str(data.get("architectures")) or any(name in data for name in FINE_TUNER)


def _judges(
    source: Source, folder: Path, config: Path, tensors: Mapping[str, Tensor]
) -> tuple[ConvertedDiscriminator | None, Path | None]:
    """The discriminators that were given, those among the weights, or those beside them and the file they are in."""
    if source.discriminator is not None:
        return read_discriminator(source.discriminator), None
    inside = {name: tensor for name, tensor in tensors.items() if name.startswith(INSIDE_VOICE)}
    if inside:
        return converted(DiscriminatorFiles(folder, inside, said_in(config))), None
    if (folder / SUBFOLDER).is_dir() or judges_in(folder):
        found = find(folder)
        return converted(replace(found, said=found.said or said_in(config))), found.source
    return None, None


def _tokenizer(folder: Path, home: Path, config: VitsConfig) -> tuple[VitsTokenizer | None, tuple[str, ...]]:
    place = next((place for place in (folder, home) if (place / VOCABULARY).is_file()), None)
    if place is None:
        return None, (
            f"It has no tokenizer, without which it speaks no text: put {VOCABULARY} and tokenizer_config.json of the "
            "voice it was trained from into the new folder.",
        )
    tokenizer = VitsTokenizer.from_pretrained(str(place))
    highest = max(tokenizer.encoder.values())
    if highest >= config.vocab_size:
        raise ValueError(
            f"{place / VOCABULARY} has id {highest}, but the voice knows ids 0 to {config.vocab_size - 1}. Do they "
            "belong together?"
        )
    return tokenizer, (f"Its symbols are those of {VOCABULARY}{_above(place, folder)}.",)


def _above(place: Path, folder: Path) -> str:
    return " one folder up" if place == folder.absolute().parent else ""


def _respelt(names: Iterable[str]) -> Iterable[str]:
    """Which layers spell their weight norm in another way than a saved voice, in which only the WaveNets have it."""
    layers = {"old": [], "folded": [], "plain": []}
    for name in names:
        wavenet = ".wavenet." in name
        ending = next((ending for ending in (OLD_G, NEW_G) if name.endswith(ending)), None)
        if ending and (ending == OLD_G or not wavenet):
            layers["old" if wavenet else "folded"].append(name.removesuffix(ending))
        elif wavenet and name.endswith(".weight"):
            layers["plain"].append(name.removesuffix(".weight"))
    if layers["old"]:
        yield f"Respelt, weight norm from weight_g and weight_v in {_counted(layers['old'])}."
    if layers["folded"]:
        yield f"Folded, weight norm that only training has in {_counted(layers['folded'])}."
    if layers["plain"]:
        yield f"Unfolded, weights that had lost their weight norm in {_counted(layers['plain'])}."


def _counted(layers: list[str]) -> str:
    return f"{len(layers)} layers: {listed(sorted(layers))}"


def _unused(source: Source, tensors: Mapping[str, Tensor], voice: Mapping[str, Tensor]) -> Iterable[str]:
    unused = [name for name in tensors if name not in voice and not name.startswith(INSIDE_VOICE)]
    if unused:
        yield f"Left out, used in training only: {listed(unused)}."
    if source.discriminator is not None and any(name.startswith(INSIDE_VOICE) for name in tensors):
        yield "Left out, its own discriminators: others were given."


def _files_left_out(source: Source, folder: Path, judges: Path | None) -> tuple[str, ...]:
    """Files of the folder that are neither weights nor read."""
    if source.checkpoint is not None:
        return ()
    weights = next(folder / name for name in (*SAFE_NAMES, *PICKLE_NAMES) if (folder / name).is_file())
    used = {*(folder / name for name in READ), weights, judges}
    shards = weights.name.split(".")[0] + "-"
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith(shards))
    others = [file.name for file in files if file not in used]
    return (f"Left out, files of training or of other programs: {listed(others, 12)}.",) if others else ()
