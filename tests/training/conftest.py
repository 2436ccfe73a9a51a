"""Each run begins without the state of another."""

import pytest


@pytest.fixture(autouse=True)
def forget_accelerate():
    """Accelerate keeps its state for the life of a process; here each run begins without."""
    from accelerate.state import AcceleratorState, PartialState

    def forget():
        AcceleratorState._reset_state()
        PartialState._reset_state()

    yield forget
    forget()
