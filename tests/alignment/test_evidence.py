"""Silence is where the level is near the lowest of the recording."""

import numpy as np

from hf_vits.alignment.evidence import loud_frames


def test_frames_of_noise_are_loud_and_a_pause_between_them_is_silent():
    noise = np.random.default_rng(0).normal(0, 0.1, (10, 50))
    noise[4:7] *= 1e-3  # 60 dB below
    assert loud_frames(noise.ravel(), 10).tolist() == [True] * 4 + [False] * 3 + [True] * 3


def test_a_recording_of_one_level_has_no_silence():
    assert loud_frames(np.full(300, 0.1), 10).all() and loud_frames(np.zeros(300), 10).all()
