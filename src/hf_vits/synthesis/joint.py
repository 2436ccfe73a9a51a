"""Work that several processes do in step, and that ends in all of them if it fails in one."""

from collections.abc import Callable


def together(work: Callable, *arguments) -> list:
    """
    What `work(*arguments)` gives in each process, in their order; every process of the run must call it.

    Raises:
        Exception: what `work` raised in this process.
        RuntimeError: if it raised anything in another one; says what.
    """
    from accelerate.utils import gather_object

    result, error, told = None, None, None
    try:
        result = work(*arguments)
    except Exception as raised:
        error, told = raised, f"{type(raised).__name__}: {raised}"
    outcomes = gather_object([(result, told)])
    if error is not None:
        raise error
    for process, (_, told) in enumerate(outcomes):
        if told is not None:
            raise RuntimeError(f"Process {process} failed, and all end with it. {told}")
    return [result for result, _ in outcomes]
