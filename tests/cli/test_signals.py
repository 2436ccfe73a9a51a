import os
import signal
import time
from itertools import count

import pytest

from hf_vits.cli.signals import Stopped, check_signals, delayed_signals, ending_signals


def test_a_signal_that_is_held_back_comes_at_the_end_and_is_not_lost():
    done = []
    with pytest.raises(Stopped) as caught, ending_signals():
        with delayed_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            for number in count():
                done.append(number)
                if number == 100:
                    break
        done.append("after")
    assert done[-1] == 100 and caught.value.number == signal.SIGTERM


def test_a_signal_whose_exception_is_lost_is_raised_at_the_next_check():
    with ending_signals():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except Stopped:
            pass  # as a function that C calls does
        with pytest.raises(Stopped):
            check_signals()


def test_signals_that_are_ignored_stay_so_and_handlers_come_back():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        with ending_signals():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) != interrupt
        assert signal.getsignal(signal.SIGINT) == interrupt
    finally:
        signal.signal(signal.SIGHUP, former)
