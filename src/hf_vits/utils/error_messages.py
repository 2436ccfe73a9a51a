"""Say in one message what went wrong, for errors that are no faults of the program."""

from huggingface_hub.errors import StrictDataclassError

from hf_vits.utils.distributed import ProcessFailed

MISTAKES = (ValueError, OSError, ImportError, FloatingPointError, ProcessFailed, StrictDataclassError)
"""Errors of callers, disks, networks and other processes, which say what to do."""

PACKAGES = ("datasets", "huggingface_hub")
"""Whose own errors are mistakes as well: a name that is not there, a file that cannot be read."""


def message_of(error: Exception) -> str | None:
    """Return what an error says to a user, or `None` if its traceback is needed: nobody but the program was wrong."""
    if not (isinstance(error, MISTAKES) or _package(error) in PACKAGES or _is_memory(error)):
        return None
    text = str(error) or type(error).__name__
    if "\nOriginal Traceback" in text:  # PyTorch writes it into errors of processes that load data
        text = text.strip().rsplit("\n", 1)[-1].split(": ", 1)[-1]
    if _is_memory(error):
        return f"{text.splitlines()[0]} Lower the batch size first; docs/training.md says what else."
    if _package(error) == "datasets" and (cause := error.__cause__) is not None:  # says that, and the cause says why
        return f"{text} {type(cause).__name__}: {cause}"
    return text


def _package(error: Exception) -> str:
    return type(error).__module__.split(".")[0]


def _is_memory(error: Exception) -> bool:
    """Tell whether a device, or PyTorch's allocator of main memory, has no more."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
