"""Ctrl-C and SIGTERM as a wish that the loop grants after the step it is in, instead of a death in its midst."""

import logging
import signal
import threading

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Within it, the first signal sets `wanted`; a second one acts as it always does."""

    def __init__(self):
        self.wanted, self.former = False, {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # others cannot have handlers
            self.former = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame) -> None:
        self.wanted = True
        self.__exit__()
        logger.warning(f"{signal.Signals(number).name}: saves after this step and leaves; once more stops at once.")


def ignore_interrupts(worker: int) -> None:
    """For processes that decode: Ctrl-C reaches them too, but they end when the training process says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
