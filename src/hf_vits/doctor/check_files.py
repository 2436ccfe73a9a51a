"""Files of unfinished work, the state of training, and what else lies in the folder."""

import glob
import re
from collections.abc import Iterator
from pathlib import Path

from hf_vits.conversion import known_formats
from hf_vits.conversion.discriminators import ORIGINAL, SUBFOLDER
from hf_vits.conversion.unsupported import exported_for
from hf_vits.doctor.findings import Diagnostic, error, note, warning
from hf_vits.doctor.fixes import converted, python, shell
from hf_vits.doctor.readers import Unreadable, check_archive, checkpoints_in, exists, has_weights, read_json
from hf_vits.doctor.voice_folder import Folder
from hf_vits.export.onnx_graph import STEP
from hf_vits.hub.known_voices import ARCHIVES, FOREIGN_TABLES, SUFFIXES, missing_path
from hf_vits.hub.license import CARD, CARD_BESIDE, MMS, MMS_LICENSE, origin_of
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES
from hf_vits.utils.files import LARGEST_TABLE, obstacle
from hf_vits.utils.formatting import listed, quoted
from hf_vits.utils.new_files import KEPT_OF_NAME

MOST_NAMES = 10_000_000
"""Bytes at the beginning of a file, where its operators are listed; those of a voice take a few hundred thousand."""

EIGHT_BITS = (f"weight{STEP}", "QuantizeLinear", "DequantizeLinear")
"""Names in a file whose weights were made whole numbers, by `hf-vits export` and by onnxruntime."""


def is_quantized(file: Path) -> bool:
    """Whether the weights have eight bits, from which a voice does not come back."""
    if file.suffix.lower() != ".onnx" or obstacle(file):
        return False
    with file.open("rb") as stream:
        names = stream.read(MOST_NAMES)
    return any(name.encode() in names for name in EIGHT_BITS)


STATE_FILE = "training_state.pt"
"""As training calls it, whose packages need not be installed here."""

ENDS = (".partial", ".former", ".incomplete", ".tmp")
"""Ends of the names of what is written before it is put in place, here and by the Hub's client."""


def check_leftovers(folder: Folder) -> Iterator[Diagnostic]:
    """What a writer that was killed has left, here and beside the folder."""
    beside = [f"../{entry.name}" for end in ENDS for entry in _beside(folder, end)]
    left = sorted(name for name in folder.entries if name.endswith(ENDS)) + sorted(beside)
    if left:
        paths = [str((folder.path / name).absolute()) for name in left]
        text = f"Left of writing that did not come to its end ({len(left)}): {listed(left)}."
        yield note(
            "files.leftover",
            text,
            "Remove them, if nothing is writing now.",
            shell("rm", "-r", "--", *paths),
            names=left,
        )


def check_state(folder: Folder) -> Iterator[Diagnostic]:
    """The state of training in a checkpoint."""
    if STATE_FILE not in folder.entries:
        return
    file = folder.path / STATE_FILE
    try:
        if why := obstacle(file):
            raise Unreadable("", f"{STATE_FILE} {why}")
        check_archive(file)
    except Unreadable as problem:
        text = f"{problem}, so training cannot be resumed from here; the voice is another file."
        yield error("files.state", text, "Resume from another checkpoint.")
    else:
        yield note(
            "files.checkpoint", "The folder is a checkpoint: training can be resumed from here, if its data are there."
        )


def _beside(folder: Folder, end: str):
    try:
        return [
            *folder.path.absolute().parent.glob(f".{glob.escape(folder.path.absolute().name[:KEPT_OF_NAME])}.*{end}")
        ]
    except OSError:
        return []


OWN = (*SAFE_NAMES, *PICKLE_NAMES, "config.json", "vocab.json", "tokenizer_config.json", "training_state.pt")

GIVE = "Give the folder of a voice, with config.json and model.safetensors in it."


def foreign_finding(path: Path) -> Diagnostic | None:
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


def _file(path: Path) -> Diagnostic:
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


def _folder(path: Path) -> Diagnostic | None:
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


def _exported(path: Path, runtime: str) -> Diagnostic:
    text = f"{path} was exported for {runtime}, from which no voice of this layout comes back."
    return error("path.exported", text, "Examine the voice that it was exported from.")


def _quantized(file: Path) -> Diagnostic:
    text = f"{file} has weights of 8 bits, from which no voice of this layout comes back."
    return error("path.quantized", text, "Convert the voice's float32 file, or examine the voice it was exported from.")


def check_licence(folder: Folder) -> Iterator[Diagnostic]:
    """What the card says, and whether the base says otherwise."""
    for card in (CARD, CARD_BESIDE):
        file = folder.path / card
        if card in folder.entries and file.is_file() and file.stat().st_size > LARGEST_TABLE:
            yield warning("licence.card", f"{card} has {file.stat().st_size:,} bytes; it was not read.", "Cut it.")
            return
    origin = origin_of(str(folder.path))
    called = folder.raw.get("_name_or_path")
    bases = [*origin.on_hub, *([called] if isinstance(called, str) else [])]
    mms = next((base for base in bases if MMS.fullmatch(base)), None)
    facts = {"license": origin.license, "bases": bases}
    if mms and not origin.is_non_commercial:
        said = f"its card says {quoted(origin.license)}" if origin.license else "its card names no licence"
        text = f"The voice was made from {quoted(mms)}, which has the licence {MMS_LICENSE}, but {said}."
        yield warning(
            "licence.base", text, f"What is made from MMS may not be used commercially: name {MMS_LICENSE}.", **facts
        )
    elif origin.is_non_commercial:
        text = f"The licence is {origin.license}: neither the voice nor what is made from it may be used commercially."
        yield warning(
            "licence.non_commercial", text, "Start from a voice with another licence, if that is not meant.", **facts
        )
    elif not origin.license:
        base = f" It was made from {', '.join(map(quoted, bases))}." if bases else ""
        text = f"No licence is named in {CARD}.{base}"
        mend = "Before it is passed on, find out that of its base and its recordings, and name it there as `license`."
        yield note("licence.unknown", text, mend, **facts)
    elif re.search(r"research", f"{origin.license} {origin.license_name} {origin.terms}", re.IGNORECASE):
        yield note("licence.research", f"The licence is {origin.license_in_words}.", **facts)
