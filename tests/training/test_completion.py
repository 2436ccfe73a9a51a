"""The new modules learn from likelihoods whose closed form is known, and nothing else changes."""

import io
import math

import pytest
import torch
from training_runs import BASE_TEXTS

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.training import CompletionSettings
from hf_vits.training.completion import Completion

KINDS = {
    "one speaker": {},
    "speakers": {"num_speakers": 3, "speaker_embedding_size": 6},
    "deterministic durations": {"use_stochastic_duration_prediction": False},
    "mel": {"posterior_input": "mel"},
}


@pytest.fixture
def make_completion(make_base, small_completion):
    def make(settings=None, **fields):
        base = make_base(**fields)
        settings = settings or small_completion()
        return Completion(VitsModel.from_pretrained(base), VitsTokenizer.from_pretrained(base), BASE_TEXTS, settings)

    return make


def run(completion, steps):
    for _ in range(steps):
        completion.train_step()
    return completion


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_only_new_parameters_change_and_the_likelihood_rises(make_completion, small_completion, kind):
    settings = small_completion(max_steps=12, learning_rate=2e-2)
    completion = make_completion(settings, **KINDS[kind])
    completion.before = completion.check()
    before = {name: value.clone() for name, value in completion.model.state_dict().items()}
    run(completion, 12)
    changed = {name for name, value in completion.model.state_dict().items() if not torch.equal(value, before[name])}
    parts = {name.split(".")[0] for name in changed}
    assert changed and changed <= set(completion.new)
    stochastic = completion.model.config.use_stochastic_duration_prediction
    assert parts == {"posterior_encoder", *(["duration_predictor"] if stochastic else [])}
    after = completion.check()
    assert after["nll"] < completion.before["nll"]
    if stochastic:
        assert after["duration_nll"] < completion.before["duration_nll"]
    else:
        assert after["duration_nll"] == 0
    assert [line["step"] for line in completion.history] == list(range(2, 13, 2))


def test_the_base_itself_is_not_changed(make_base, small_completion):
    base = VitsModel.from_pretrained(make_base()).half()
    before = {name: value.clone() for name, value in base.state_dict().items()}
    tokenizer = VitsTokenizer.from_pretrained(base.name_or_path)
    completion = run(Completion(base, tokenizer, BASE_TEXTS, small_completion()), 2)
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())
    assert completion.model.dtype == torch.float32
    after = completion.model.state_dict()
    assert all(torch.equal(after[name], value.float()) for name, value in before.items())


def test_a_batch_of_speakers_gives_the_mean_of_single_crops(make_completion):
    completion = make_completion(**KINDS["speakers"])
    crops = completion.speech.crops(step=0, size=4, frames=1)
    parts = (crops.features, crops.latents, crops.mask, crops.weight, crops.speaker_ids)
    nll, _ = completion._posterior(*parts)
    single = [completion._posterior(*(part[i : i + 1] for part in parts))[0] for i in range(4)]
    torch.testing.assert_close(nll, torch.stack(single).mean())
    other = completion._posterior(*parts[:4], (crops.speaker_ids + 1) % 3)[0]
    assert not torch.allclose(nll, other)


@pytest.mark.thorough
def test_a_resumed_run_equals_one_without_interruption_bitwise(make_completion, small_completion):
    settings = small_completion(max_steps=5)
    whole = make_completion(settings)
    whole.before = whole.check()  # must not leave anything that the later check takes
    run(whole, 5)
    for stopped in (1, 4):  # within and at the end of a line of the history
        part = run(make_completion(settings), stopped)
        part.before = whole.before
        file = io.BytesIO()
        torch.save(part.state(), file)
        file.seek(0)
        resumed = make_completion(settings)
        resumed.load_state(torch.load(file, weights_only=True))
        assert resumed.before == part.before and resumed.step == stopped
        run(resumed, 5 - stopped)
        assert resumed.history == whole.history and resumed.check() == whole.check()
        weights = resumed.model.state_dict()
        for name, value in whole.model.state_dict().items():
            assert torch.equal(value, weights[name]), name


def test_each_setting_counts(make_completion, small_completion):
    for rate, steps in ((6e-4, 4), (1e-3, 8)):
        completion = run(make_completion(small_completion(learning_rate=rate, max_steps=steps, batch_size=1)), 2)
        factor = 2 / 50 * (1 + math.cos(math.pi / steps)) / 2  # the second of fifty steps of warm-up
        assert completion.optimizer.param_groups[0]["lr"] == pytest.approx(rate * factor + 1e-6)
    first, second = (make_completion(small_completion(seed=seed)) for seed in (1, 2))
    name = "posterior_encoder.conv_pre.weight"
    assert not torch.equal(first.new[name], second.new[name])
    with pytest.raises(ValueError, match="`max_steps` is 0"):
        CompletionSettings(max_steps=0)


def test_steps_without_a_finite_gradient_are_skipped_and_end_the_run(make_completion):
    completion = make_completion()
    before = {name: value.clone() for name, value in completion.new.items()}
    with torch.no_grad():
        completion.new["posterior_encoder.conv_proj.bias"].fill_(torch.inf)
    completion.train_step()
    name = "duration_predictor.post_conv_proj.weight"
    assert torch.equal(completion.new[name], before[name])
    with pytest.raises(FloatingPointError, match="lower `learning_rate`"):
        completion.train_step()
