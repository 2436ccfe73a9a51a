"""Files and folders that are no voice of this layout: whose they are, and the command that converts them."""

import re
from pathlib import Path

from hf_vits.conversion import known_formats
from hf_vits.conversion.judge_files import ORIGINAL, SUBFOLDER
from hf_vits.doctor.commands import converted, python, shell
from hf_vits.doctor.finding import Finding, error
from hf_vits.doctor.graphs import is_quantized
from hf_vits.doctor.json_files import exists, read_json
from hf_vits.doctor.runs import checkpoints_in, has_weights
from hf_vits.export.one_way import exported_for
from hf_vits.files import obstacle
from hf_vits.foreign_files import ARCHIVES, FOREIGN_TABLES, SUFFIXES
from hf_vits.resolve import missing_path
from hf_vits.weights import PICKLE_NAMES, SAFE_NAMES
from hf_vits.wording import listed

OWN = (*SAFE_NAMES, *PICKLE_NAMES, "config.json", "vocab.json", "tokenizer_config.json", "training_state.pt")

GIVE = "Give the folder of a voice, with config.json and model.safetensors in it."


def foreign_finding(path: Path) -> Finding | None:
    """Why the path is not to be examined as a folder of this layout; `None` if it is."""
    if not exists(path):
        mend = f"{GIVE} One on the Hub is fetched first."
        name = str(path)
        fetch = (
            shell("hf", "download", name, "--local-dir", path.name) if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None
        )
        return error("path.missing", missing_path(path), mend, fetch)
    if path.is_dir():
        return _folder(path)
    if why := obstacle(path):
        return error("path.unreadable", f"{path} {why}.", GIVE)
    return _file(path)


def _file(path: Path) -> Finding:
    if path.name in OWN:
        text = f"{path} is one file of a voice; the whole folder is examined."
        return error("path.file", text, GIVE, shell("hf-vits", "doctor", str(path.absolute().parent)))
    if path.match(ORIGINAL) and path.suffix == ".pth":
        code = "from hf_vits.conversion.discriminators import convert_discriminator; "
        code += f"convert_discriminator({str(path)!r}).save_pretrained('voice/{SUBFOLDER}')"
        text = f"{path} is, by its name, no voice but the discriminators of the original's training."
        return error(
            "foreign.judges", text, f"Put them into {SUBFOLDER}/ of the voice they were trained with.", python(code)
        )
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        return error("path.unknown", f"{path} is a file of a kind that no voice is known to have.", GIVE)
    if runtime := exported_for(path):
        return _exported(path, runtime)
    if is_quantized(path):
        return _quantized(path)
    command = None if path.suffix.lower() in ARCHIVES else converted(path)
    text = f"{path} is {kind}. It must be converted before it can be used here."
    return error("foreign.file", text, f"Known formats: {'; '.join(known_formats())}.", command, suffix=path.suffix)


def _folder(path: Path) -> Finding | None:
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as problem:
        return error("path.unreadable", f"{path} cannot be listed ({problem.strerror}).", GIVE)
    if not names:
        return error("path.empty", f"{path} is empty.", GIVE)
    if runtime := exported_for(path):
        return _exported(path, runtime)
    if not has_weights(path) and (checkpoints := checkpoints_in(path)):
        named = listed([folder.name for folder in checkpoints])
        text = f"{path} is the output folder of a run and has no weights of its own; its checkpoints have: {named}."
        newest = shell("hf-vits", "doctor", str(checkpoints[-1]))
        return error("path.run", text, "Examine one of its checkpoints, such as the newest.", newest)
    theirs = [name for name in names if Path(name).suffix.lower() in SUFFIXES and name not in OWN]
    theirs = [
        name
        for name in theirs
        if not re.fullmatch(r"(model|pytorch_model|optimizer|scheduler|random_states).*\.(bin|safetensors|pt)", name)
    ]
    if has_weights(path):
        return None
    table = read_json(path / "config.json").table or {}
    is_foreign = any(fields <= table.keys() for fields in FOREIGN_TABLES)
    if not is_foreign and (not theirs or table.get("model_type")):
        return None
    if len(theirs) == 1 and is_quantized(path / theirs[0]):
        return _quantized(path / theirs[0])
    whole = (
        f"config.json is that of another project and it holds {listed(theirs)}"
        if is_foreign
        else f"it holds {listed(theirs)}"
    )
    text = f"{path} is no voice of this layout: {whole}. It must be converted before it can be used here."
    one = converted(path / theirs[0]) if len(theirs) == 1 and not is_foreign else converted(path)
    return error("foreign.folder", text, f"Known formats: {'; '.join(known_formats())}.", one, files=theirs[:100])


def _exported(path: Path, runtime: str) -> Finding:
    text = f"{path} was exported for {runtime}, from which no voice of this layout comes back."
    return error("path.exported", text, "Examine the voice that it was exported from.")


def _quantized(file: Path) -> Finding:
    text = f"{file} has weights of 8 bits, from which no voice of this layout comes back."
    return error("path.quantized", text, "Convert the voice's float32 file, or examine the voice it was exported from.")
