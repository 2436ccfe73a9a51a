"""Faults of a clip are those that were put into it."""

import numpy as np
import pytest

from hf_vits.data.audio_checks import CANCELLING, CLIPPED, SILENT, SILENT_ENDS, find_faults, silences

RATE = 8000
TONE = 0.5 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE).astype(np.float32)


def silence(seconds):
    return np.zeros(int(seconds * RATE), np.float32)


@pytest.mark.parametrize(("begin", "end"), [(0.0, 0.0), (0.5, 1.5)])
def test_silences_are_measured_at_both_ends(begin, end):
    found = silences(np.concatenate([silence(begin), TONE, silence(end)]), RATE)
    assert found == pytest.approx((begin, end, (begin + end) / (begin + 1 + end)), abs=0.021)


@pytest.mark.parametrize(
    ("channels", "kinds"),
    [
        ([TONE], []),
        ([np.clip(4 * TONE, -1, 1)], [CLIPPED]),
        ([np.concatenate([silence(1.5), TONE])], [SILENT_ENDS, SILENT]),
        ([TONE, -TONE], [CANCELLING]),
    ],
)
def test_each_fault_is_found_and_no_other(channels, kinds):
    channels = np.stack(channels)
    assert [kind for kind, _ in find_faults(channels, channels[0], RATE)] == kinds
