"""Set how threads of PyTorch wait for each other, in the environment that OpenMP reads when it is loaded."""

import os

SPINS = "20000"
"""Turns of GNU OpenMP's waiting loop, a fraction of a millisecond, before a thread sleeps.

Operations of a network follow each other in less. Waking a thread takes as long as many of them, and it may wake on the
core of the thread that it works with, where both stay until the system sees them wait. Without work they take no time
from other programs.
"""


def wait_briefly() -> None:
    """
    Let threads spin briefly, then sleep; call it before anything imports torch.

    It sets `GOMP_SPINCOUNT`, which GNU's OpenMP reads (PyTorch on Linux), and `OMP_WAIT_POLICY=PASSIVE`, which others
    read. Variables that are set are kept, and with a policy of the user's own the count is not set
    either.

    Example:

    ```python
    >>> from hf_vits.utils.waiting import wait_briefly

    >>> wait_briefly()
    ```
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
