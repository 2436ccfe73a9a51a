"""Files of unfinished work, the state of training, and what else lies in the folder."""

import glob
from collections.abc import Iterator

from hf_vits.doctor.commands import shell
from hf_vits.doctor.finding import Finding, error, note
from hf_vits.doctor.folder import Folder
from hf_vits.doctor.pickles import Unreadable, check_archive
from hf_vits.files import obstacle
from hf_vits.new_files import KEPT_OF_NAME
from hf_vits.wording import listed

STATE_FILE = "training_state.pt"
"""As training calls it, whose packages need not be installed here."""

ENDS = (".partial", ".former", ".incomplete", ".tmp")
"""Ends of the names of what is written before it is put in place, here and by the Hub's client."""


def check_leftovers(folder: Folder) -> Iterator[Finding]:
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


def check_state(folder: Folder) -> Iterator[Finding]:
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
