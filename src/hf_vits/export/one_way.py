"""What is written here for a runtime, and from which no voice comes back: how it is known again."""

from pathlib import Path

from hf_vits.export.split import FIRST, SECOND

EXPORTED = {"sherpa-onnx": ("model.onnx", "tokens.txt"), "streaming in onnxruntime": (FIRST, SECOND)}
"""Files of a folder, by the runtime that reads them."""


def exported_for(path: Path) -> str | None:
    """The runtime for which a folder was exported, or a file beside those that belong to it; `None` if for none."""
    folder = path if path.is_dir() else path.parent
    for runtime, files in EXPORTED.items():
        described = any((folder / f"{name}.json").exists() for name in files)  # as a voice of Piper's is
        if (path == folder or path.name in files) and all((folder / name).exists() for name in files) and not described:
            return runtime
    return None
