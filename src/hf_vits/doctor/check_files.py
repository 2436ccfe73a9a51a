"""Checks of what a path is, if no model folder, and of the other files in one: training state, license, leftovers."""

import glob
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hf_vits.conversion.discriminators import ORIGINAL
from hf_vits.conversion.formats import ARCHIVES, is_foreign_config, known_formats, suffix_descriptions
from hf_vits.conversion.schema import inspect_json
from hf_vits.conversion.suggestions import missing_path
from hf_vits.conversion.unsupported import exported_for
from hf_vits.doctor.diagnostics import Diagnostic, error, note, warning
from hf_vits.doctor.fixes import convert_command, resave, shell
from hf_vits.doctor.model_folder import REFETCH, ModelFolder, checkpoints_in, has_weights
from hf_vits.export.onnx_graph import STEP
from hf_vits.hub.license import CARD, CARD_BESIDE, MMS, MMS_LICENSE, origin_of
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES
from hf_vits.utils.archives import check_pickled
from hf_vits.utils.files import LARGEST_TABLE, exists, obstacle
from hf_vits.utils.formatting import listed, quoted
from hf_vits.utils.new_files import KEPT_OF_NAME

GIVE_FOLDER = "Give a model folder, with config.json and model.safetensors in it."

STATE_FILE = "training_state.pt"
"""As training names it, whose packages need not be installed here."""

OUR_FILES = (*SAFE_NAMES, *PICKLE_NAMES, "config.json", "vocab.json", "tokenizer_config.json", STATE_FILE)

OF_TRAINING = re.compile(r"(model|pytorch_model|optimizer|scheduler|random_states).*\.(bin|safetensors|pt)")
"""Files that other trainers write beside a model."""

TEMPORARY = (".partial", ".former", ".incomplete", ".tmp")
"""Suffixes of files that hf_vits and the Hub's client rename when they are complete."""

ONNX_NAMES_SIZE = 10_000_000
"""Bytes at the beginning of an ONNX file, where its operators are listed; a model's take a few hundred thousand."""

QUANTIZED = (f"weight{STEP}", "QuantizeLinear", "DequantizeLinear")
"""Names in a file with weights of 8 bits, written by `hf-vits export` or by onnxruntime."""


def check_path(path: Path) -> Diagnostic | None:
    """Return why a path cannot be examined as a model folder; `None` if it can."""
    if path.is_dir():
        return _check_folder(path)
    if exists(path):
        why = obstacle(path)
        return error("path.unreadable", f"{path} {why}.", GIVE_FOLDER) if why else _check_file(path)
    name, command = str(path), None
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        command = shell("hf", "download", name, "--local-dir", path.name)
    return error("path.missing", missing_path(path), f"{GIVE_FOLDER} Download one of the Hub first.", command=command)


def _check_file(path: Path) -> Diagnostic:
    suffix = path.suffix.lower()
    if path.name in OUR_FILES:
        command = shell("hf-vits", "doctor", str(path.absolute().parent))
        return error("path.file", f"{path} is one file of a model; give its folder.", GIVE_FOLDER, command=command)
    if path.match(ORIGINAL) and suffix == ".pth":
        message = f"{path} holds, by its name, the discriminators of the original's training, not a model."
        advice = f"Convert the model that they were trained with, such as {path.name.replace('D_', 'G_', 1)}, and name "
        advice += "this file as `--discriminator` of `hf-vits convert` or as `discriminator_name_or_path` of training."
        return error("path.discriminator_file", message, advice)
    content = suffix_descriptions().get(suffix)
    if content is None:
        return error("path.unknown_file", f"{path} is a file of a kind that no known model has.", GIVE_FOLDER)
    if found := _not_convertible(path, path):
        return found
    message = f"{path} is {content}. It must be converted first."
    command = None if suffix in ARCHIVES else convert_command(path)
    return error("path.other_format_file", message, _formats(), command=command, suffix=path.suffix)


def _check_folder(path: Path) -> Diagnostic | None:
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as problem:
        return error("path.unreadable", f"{path} cannot be listed ({problem.strerror}).", GIVE_FOLDER)
    if not names:
        return error("path.empty", f"{path} is empty.", GIVE_FOLDER)
    if runtime := exported_for(path):
        return _exported(path, runtime)
    if has_weights(path):
        return None
    if checkpoints := checkpoints_in(path):
        shown = listed([folder.name for folder in checkpoints])
        message = f"{path} is the output folder of a training run without weights; its checkpoints have them: {shown}."
        command = shell("hf-vits", "doctor", str(checkpoints[-1]))
        return error(
            "path.training_run", message, "Examine one of its checkpoints, such as the newest.", command=command
        )
    suffixes = suffix_descriptions()
    others = [name for name in names if Path(name).suffix.lower() in suffixes and name not in OUR_FILES]
    others = [name for name in others if not OF_TRAINING.fullmatch(name)]
    table = inspect_json(path / "config.json").table or {}
    is_foreign = is_foreign_config(table)
    if not is_foreign and (not others or table.get("model_type")):
        return None
    if len(others) == 1 and (found := _not_convertible(path, path / others[0])):
        return found
    config = "its config.json is that of another project and " if is_foreign else ""
    message = f"{path} has another format: {config}it holds {listed(others)}. It must be converted first."
    source = path / others[0] if len(others) == 1 and not is_foreign else path
    command = convert_command(source)
    return error("path.other_format_folder", message, _formats(), command=command, files=others[:100])


def _formats() -> str:
    return f"Known formats: {'; '.join(known_formats())}."


def _not_convertible(path: Path, file: Path) -> Diagnostic | None:
    """Return why a file cannot be converted though its format is known."""
    if path == file and (runtime := exported_for(file)):
        return _exported(file, runtime)
    if is_quantized(file):
        message = f"{file} has weights of 8 bits, which cannot be converted back."
        return error("path.quantized", message, "Convert the float32 file, or examine the model that was exported.")
    return None


def _exported(path: Path, runtime: str) -> Diagnostic:
    message = f"{path} was exported for {runtime}, and cannot be converted back."
    return error("path.exported", message, "Examine the model that was exported.")


def is_quantized(file: Path) -> bool:
    """Return whether the weights in an ONNX file have 8 bits."""
    if file.suffix.lower() != ".onnx" or obstacle(file):
        return False
    with file.open("rb") as stream:
        names = stream.read(ONNX_NAMES_SIZE)
    return any(name.encode() in names for name in QUANTIZED)


def check_weight_files(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Report the files of weights that cannot be read, pickles, and a second set of weights."""
    advice = {"no_weights": "Download the weights too, or give the folder that has them."}
    for problem in folder.weights.problems:
        details = {"files": list(problem.files)}
        yield error(f"files.{problem.kind}", f"{problem.text}.", advice.get(problem.kind, REFETCH), **details)
    present = [name for name in (*SAFE_NAMES, *PICKLE_NAMES) if name in folder.entries]
    pickles = [name for name in present if name in PICKLE_NAMES]
    if folder.tensors is not None and present[0] in pickles:
        message = f"The weights are pickled ({present[0]}), a format that can hold code; none was run."
        yield warning("files.pickle", message, "Save the model as .safetensors.", **resave(folder.path))
    if pickles and present[0] in SAFE_NAMES:
        message = f"There are two sets of weights: {present[0]}, which is loaded, and {listed(pickles)}, which is not."
        yield note("files.two_sets", message, f"Remove {listed(pickles)} if both hold the same.")


def check_training_state(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check the state of training in a checkpoint."""
    if STATE_FILE not in folder.entries:
        return
    file = folder.path / STATE_FILE
    reason = obstacle(file)
    try:
        if not reason and not check_pickled(file):
            reason = "is not an archive of PyTorch"
    except (OSError, ValueError) as problem:
        reason = f"cannot be read ({str(problem)[:200]})"
    if reason:
        message = f"{STATE_FILE} {reason}, so training cannot be resumed from here; the model itself is in other files."
        yield error("files.training_state", message, "Resume from another checkpoint.")
    else:
        message = "The folder is a checkpoint: training can be resumed from it, given the data."
        yield note("files.checkpoint", message)


def check_leftovers(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Find what a writer that was killed has left, here and beside the folder."""
    path = folder.path.absolute()
    pattern = f".{glob.escape(path.name[:KEPT_OF_NAME])}.*"
    names = [name for name in folder.entries if name.endswith(TEMPORARY)]
    with suppress(OSError):  # a parent that may not be listed
        names += [f"../{entry.name}" for entry in path.parent.glob(pattern) if entry.name.endswith(TEMPORARY)]
    if names := sorted(names):
        message = f"Temporary files of writing that was interrupted ({len(names)}): {listed(names)}."
        command = shell("rm", "-r", "--", *[str(path / name) for name in names])
        yield note("files.leftover", message, "Remove them, if nothing is writing now.", command=command, names=names)


def check_license(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check the license of the model card against that of the base model."""
    for card in (CARD, CARD_BESIDE):
        file = folder.path / card
        if card in folder.entries and file.is_file() and file.stat().st_size > LARGEST_TABLE:
            yield warning(
                "license.card_size", f"{card} has {file.stat().st_size:,} bytes; it was not read.", "Shorten it."
            )
            return
    origin, base = origin_of(str(folder.path)), folder.raw.get("_name_or_path")
    bases = [*origin.on_hub, *([base] if isinstance(base, str) else [])]
    mms = next((base for base in bases if MMS.fullmatch(base)), None)
    details = {"license": origin.license, "bases": bases}
    if mms and not origin.is_non_commercial:
        card = f"its card names {quoted(origin.license)}" if origin.license else "its card names no license"
        message = f"The model was made from {quoted(mms)}, which has the license {MMS_LICENSE}, but {card}."
        advice = f"What is made from MMS may not be used commercially: name {MMS_LICENSE}."
        yield warning("license.base_model", message, advice, **details)
    elif origin.is_non_commercial:
        message = (
            f"The license is {origin.license}: neither the model nor what is made from it may be used commercially."
        )
        yield warning("license.non_commercial", message, "For commercial use, start from another model.", **details)
    elif not origin.license:
        made_from = f" The model was made from {', '.join(map(quoted, bases))}." if bases else ""
        message = f"No license is named in {CARD}.{made_from}"
        advice = "Before you share the model, name the license of its base and its recordings there as `license`."
        yield note("license.unknown", message, advice, **details)
    elif re.search(r"research", f"{origin.license} {origin.license_name} {origin.terms}", re.IGNORECASE):
        yield note("license.research", f"The license is {origin.license_in_words}.", **details)
