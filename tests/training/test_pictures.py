"""Pictures show what they are of: mels, the alignment, and each loss over its steps."""

import numpy as np
import pytest
import torch

from hf_vits.training.evaluation import EvalSample, clip_picture
from hf_vits.training.loggers import loss_picture, save_picture


@pytest.fixture
def clip():
    noise = torch.Generator().manual_seed(0)
    mels, scores = torch.randn(2, 4, 12, generator=noise), torch.randn(12, 5, generator=noise)
    return EvalSample({"focus": 0.756}, *mels, scores, torch.arange(12) * 5 // 12)


def test_a_clips_picture_has_its_mels_and_its_alignment(clip):
    spoken = torch.zeros(4, 9)
    axes = clip_picture(clip, spoken).axes
    assert [axis.get_title() for axis in axes] == [
        *("recording", "reconstruction", "spoken from its text"),
        "alignment, focus 0.76",
    ]
    shown = [axis.images[0].get_array() for axis in axes]
    for image, mel in zip(shown, (clip.real_mel, clip.fake_mel, spoken), strict=False):
        assert np.array_equal(image, mel)
    assert np.allclose(shown[-1], clip.scores.softmax(-1).T)
    assert np.array_equal(axes[-1].lines[0].get_ydata(), clip.token_of_frame)


def test_mels_of_one_picture_have_one_scale(clip):
    limits = {axis.images[0].get_clim() for axis in clip_picture(clip, torch.full((4, 9), 50.0)).axes[:3]}
    assert limits == {(float(clip.real_mel.min()), float(clip.real_mel.max()))}


def test_a_voice_that_cannot_speak_yet_has_a_picture_without_speech(clip):
    assert [axis.get_title() for axis in clip_picture(clip).axes[:-1]] == ["recording", "reconstruction"]


def test_losses_are_drawn_over_their_steps_with_held_out_beside_training():
    history = [
        {"step": 0, "held_out/mel": 3.0},
        {"step": 5, "train/mel": 2.0, "train/kl": 9.0, "skipped": 1},
        {"step": 10, "train/mel": 1.0, "train/kl": 8.0, "held_out/mel": 1.5},
    ]
    drawn = {
        (axis.get_title(), line.get_label()): list(zip(*line.get_data(), strict=True))
        for axis in loss_picture(history).axes
        for line in axis.lines
    }
    assert drawn == {
        ("mel", "train"): [(5, 2.0), (10, 1.0)],
        ("mel", "held_out"): [(0, 3.0), (10, 1.5)],
        ("kl", "train"): [(5, 9.0), (10, 8.0)],
    }


def test_a_loss_that_falls_far_has_a_logarithmic_axis():
    history = [{"step": 1, "train/mel": 100.0, "train/kl": 2.0}, {"step": 2, "train/mel": 1.0, "train/kl": 1.0}]
    scales = {axis.get_title(): axis.get_yscale() for axis in loss_picture(history).axes if axis.get_visible()}
    assert scales == {"mel": "log", "kl": "linear"}


def test_a_picture_is_saved_as_png(clip, tmp_path):
    save_picture(clip_picture(clip), tmp_path / "picture")
    assert (tmp_path / "picture").read_bytes().startswith(b"\x89PNG")
