"""The diversity of rhythm is the spread of durations between readings."""

from types import SimpleNamespace

import numpy as np

from hf_vits.evaluation.rhythm import RhythmDiversity


def score(readings):
    synthesis = SimpleNamespace(readings=lambda: np.array(readings))
    return RhythmDiversity(None).score(SimpleNamespace(synthesis=synthesis))


def test_equal_readings_have_none_and_two_others_half_of_their_difference():
    assert score([[1.0, 2.0], [1.0, 2.0]]) == type(score([[1.0]]))(0.0, 3.0)
    found = score([[1.0, 2.0], [3.0, 2.0]])
    assert vars(found) == vars(type(found)(1.0, 4.0))
