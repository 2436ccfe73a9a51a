"""Checks of the files in a model folder: weights, training state, license, leftovers of interrupted writers."""

import glob
import re
from collections.abc import Iterator
from contextlib import suppress

from hf_vits.doctor.diagnostics import Diagnostic, counted, error, note, warning
from hf_vits.doctor.fixes import resave, shell
from hf_vits.doctor.model_folder import REFETCH, ModelFolder
from hf_vits.hub.license import CARD, CARD_BESIDE, MMS, MMS_LICENSE, origin_of
from hf_vits.hub.model_files import STATE_FILE
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES
from hf_vits.utils.archives import check_pickled
from hf_vits.utils.atomic_file import KEPT_OF_NAME
from hf_vits.utils.files import LARGEST_TABLE, obstacle
from hf_vits.utils.formatting import listed, quoted

TEMPORARY = (".partial", ".former", ".incomplete", ".tmp")
"""Suffixes of files that hf_vits and the Hub's client rename when they are complete."""


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
        message = counted("Temporary files of interrupted writers", names)
        command = shell("rm", "-r", "--", *[str(path / name) for name in names])
        yield note("files.leftover", message, "Remove them, if nothing is writing now.", command=command, names=names)


def check_license(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check the license of the model card against that of the base model."""
    for card in (CARD, CARD_BESIDE):
        file = folder.path / card
        if card in folder.entries and file.is_file() and file.stat().st_size > LARGEST_TABLE:
            message = f"{card} has {file.stat().st_size:,} bytes; it was not read."
            yield warning("license.card_size", message, "Shorten it.")
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
        message = f"The license is {origin.license}: the model and what is made from it may not be used commercially."
        yield warning("license.non_commercial", message, "For commercial use, start from another model.", **details)
    elif not origin.license:
        made_from = f" The model was made from {', '.join(map(quoted, bases))}." if bases else ""
        message = f"No license is named in {CARD}.{made_from}"
        advice = "Before you share the model, name the license of its base and its recordings there as `license`."
        yield note("license.unknown", message, advice, **details)
    elif re.search(r"research", f"{origin.license} {origin.license_name} {origin.terms}", re.IGNORECASE):
        yield note("license.research", f"The license is {origin.license_in_words}.", **details)
