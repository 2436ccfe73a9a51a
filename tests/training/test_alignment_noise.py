"""Noise in the alignment search (VITS2, section 2.2): its size, its schedule, and that none is none."""

import math

import pytest
import torch

from hf_vits.modules.alignment import search_where_finite, with_noise
from hf_vits.training import generator as module
from hf_vits.training.train_step import alignment_noise_scale

LENGTHS = torch.tensor([40, 7]), torch.tensor([90, 30])


def scores():
    return 5 + 3 * torch.randn(2, 90, 40, generator=torch.Generator().manual_seed(0))


def generators():
    return [torch.Generator().manual_seed(seed) for seed in (1, 2)]


def test_the_noise_is_the_scale_times_the_deviation_of_an_item_s_scores_times_a_normal_sample():
    plain = scores()
    plain[1, 30:] = plain[1, :, 7:] = 1e6  # padding, of which nothing depends
    noisy = with_noise(plain, *LENGTHS, 0.01, generators())
    for item, (tokens, frames, source) in enumerate(zip(*(one.tolist() for one in LENGTHS), generators(), strict=True)):
        own = plain[item, :frames, :tokens]
        deviation = math.sqrt(((own - own.mean()) ** 2).mean())
        expected = own + 0.01 * deviation * torch.randn(frames, tokens, generator=source)
        torch.testing.assert_close(noisy[item, :frames, :tokens], expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(noisy[1, 30:], plain[1, 30:]) and torch.equal(noisy[1, :, 7:], plain[1, :, 7:])


def test_an_item_of_a_batch_has_the_noise_that_it_has_alone():
    together = with_noise(scores(), *LENGTHS, 0.1, generators())
    alone = with_noise(scores()[1:, :30, :7], LENGTHS[0][1:], LENGTHS[1][1:], 0.1, generators()[1:])
    assert torch.equal(together[1, :30, :7], alone[0])


def test_at_a_scale_of_zero_the_scores_are_the_same_and_nothing_is_drawn():
    plain, sources = scores(), generators()
    assert with_noise(plain, *LENGTHS, 0.0, sources) is plain
    assert all(torch.equal(a.get_state(), b.get_state()) for a, b in zip(sources, generators(), strict=True))


def test_scores_that_are_not_finite_stay_without_an_alignment():
    damaged = scores()
    damaged[0, 3, 2] = float("nan")
    _, found = search_where_finite(with_noise(damaged, *LENGTHS, 0.01, generators()), *LENGTHS)
    assert found.tolist() == [False, True]


def test_it_decreases_by_the_same_amount_in_each_step_down_to_zero(make_settings):
    settings = make_settings(alignment_noise_scale=0.01)
    assert alignment_noise_scale(settings, 0) == 0.01
    assert alignment_noise_scale(settings, 1000) == pytest.approx(0.008)
    assert alignment_noise_scale(settings, 5000) == pytest.approx(0) and alignment_noise_scale(settings, 6000) == 0
    assert alignment_noise_scale(make_settings(), 0) == 0
    with pytest.raises(ValueError, match="`alignment_noise_scale`"):
        make_settings(alignment_noise_scale=-0.01)


def test_steps_search_with_the_noise_of_their_number_and_a_resumed_run_with_the_same(
    make_trainer, make_start, parameters_of, assert_equal, monkeypatch
):
    seen, plain = [], module.with_noise

    def noted(scores, text_lengths, frame_lengths, scale, source):
        seen.append((scores, plain(scores, text_lengths, frame_lengths, scale, source), scale))
        return seen[-1][1]

    monkeypatch.setattr(module, "with_noise", noted)
    settings = {
        "max_steps": 2,
        "save_steps": 1,
        "save_total_limit": 2,
        "alignment_noise_scale": 0.3,
        "alignment_noise_decay": 0.2,
    }
    whole = make_trainer(start=make_start(lively=True), **settings)
    whole.train()
    assert [scale for *_, scale in seen] == [0.3, pytest.approx(0.1)]
    assert not torch.equal(seen[1][0], seen[1][1])

    resumed = make_trainer(start=make_start(lively=True), **settings)
    resumed.train(resume_from_checkpoint=whole.output_dir / "checkpoint-1")
    assert_equal(parameters_of(resumed), parameters_of(whole))
