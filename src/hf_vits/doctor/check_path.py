"""Check what a path is, if it is no model folder: a file, another format, a training run, an export."""

import re
from pathlib import Path

from hf_vits.conversion.discriminators import ORIGINAL
from hf_vits.conversion.formats import ARCHIVES, is_foreign_config, known_formats, suffix_descriptions
from hf_vits.conversion.schema import inspect_json
from hf_vits.conversion.suggestions import missing_path
from hf_vits.conversion.unsupported import exported_for
from hf_vits.doctor.diagnostics import Diagnostic, error
from hf_vits.doctor.fixes import convert_command, shell
from hf_vits.export.onnx_graph import STEP
from hf_vits.hub.model_files import OWN_FILES, PICKLE_NAMES, SAFE_NAMES, checkpoints_in, has_weights
from hf_vits.utils.files import exists, obstacle
from hf_vits.utils.formatting import listed

GIVE_FOLDER = "Give a model folder, with config.json and model.safetensors in it."

OUR_FILES = (*SAFE_NAMES, *PICKLE_NAMES, *OWN_FILES)

OF_TRAINING = re.compile(r"(model|pytorch_model|optimizer|scheduler|random_states).*\.(bin|safetensors|pt)")
"""Files that other trainers write beside a model."""

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
        return error("path.training_run", message, "Examine a checkpoint, such as the newest.", command=command)
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
    command = convert_command(path / others[0] if len(others) == 1 and not is_foreign else path)
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
