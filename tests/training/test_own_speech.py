"""Utterances and crops follow from seed, number and step; a crop shows the encoder what the whole utterance does."""

import datasets
import pytest
import torch
from training_runs import BASE_TEXTS

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.modeling_vits import add_training_modules
from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.training import own_speech
from hf_vits.training.own_speech import OwnSpeech, texts_of, usable_texts


@pytest.fixture
def make_speech(make_base):
    def make(texts=BASE_TEXTS, seed=0, **fields):
        base = make_base(**fields)
        model, _ = add_training_modules(VitsModel.from_pretrained(base))
        return OwnSpeech(model.eval(), VitsTokenizer.from_pretrained(base), texts, seed)

    return make


def test_the_pool_grows_by_one_and_then_replaces_its_oldest_every_fourth_step(make_speech, monkeypatch):
    monkeypatch.setattr(own_speech, "POOL_SIZE", 7)
    monkeypatch.setattr(own_speech, "FIRST_UTTERANCES", 3)
    speech, numbers, steps = make_speech(), [0, 1, 2], 0
    for step in range(40):
        if step and len(numbers) < 7:
            numbers.append(numbers[-1] + 1)
        elif step:
            steps += 1
            if steps % 4 == 0:
                numbers = [*numbers[1:], numbers[-1] + 1]
        assert list(speech.pool(step)) == numbers, step


def test_an_utterance_is_what_its_latents_and_durations_say(make_speech):
    speech = make_speech()
    one = speech.utterance(1, step=0)
    assert one.durations.sum() == one.latents.shape[1] == one.features.shape[1]
    waveform = speech.model.decode(one.latents[None])
    torch.testing.assert_close(one.features, Spectrogram(speech.model.config)(waveform)[0])


def test_an_utterance_depends_on_seed_and_number_alone(make_speech, monkeypatch):
    monkeypatch.setattr(own_speech, "POOL_SIZE", 16)
    speech, again = make_speech(), make_speech()
    first = [speech.utterance(number, step=0) for number in range(3)]
    assert len(speech.known) == 3 and not torch.equal(first[0].latents, first[1].latents)
    speech.utterance(20, step=4 * 20)
    assert list(speech.known) == [20]
    torch.rand(3)
    assert torch.equal(again.utterance(2, step=0).latents, first[2].latents)
    assert not torch.equal(make_speech(seed=1).utterance(2, step=0).latents, first[2].latents)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("fields", [{}, {"posterior_input": "mel"}, {"posterior_encoder_num_wavenet_layers": 4}])
@pytest.mark.parametrize("frames", [7, 2000])
def test_a_crop_gives_the_posterior_of_the_whole_utterance(make_speech, fields, frames):
    speech = make_speech(**fields)
    crops = speech.crops(step=3, size=3, frames=frames)
    encoder = speech.model.posterior_encoder
    with torch.no_grad():
        _, means, _ = encoder(crops.features, crops.mask)
        found = 0
        for mean, latents, weight in zip(means, crops.latents, crops.weight, strict=True):
            real = weight[0].bool()
            for number in speech.pool(3):
                one = speech.utterance(number, 3)
                size = int(real.sum())
                starts = [
                    s
                    for s in range(one.latents.shape[1] - size + 1)
                    if torch.equal(one.latents[:, s : s + size], latents[:, real])
                ]
                if starts:
                    mask = torch.ones_like(one.latents[None, :1])
                    wholes = [encoder(f[None], mask)[1][0] for f in (one.features, *one.perturbed)]
                    assert any(
                        torch.allclose(mean[:, real], whole[:, starts[0] : starts[0] + size], atol=1e-5)
                        for whole in wholes
                    )
                    found += 1
                    assert size == min(frames, one.latents.shape[1])
                    break
    assert found == 3


def test_seven_of_ten_crops_are_as_other_speakers_would_say_them(make_speech):
    speech = make_speech()
    one = speech.utterance(0, step=0)
    assert len(one.perturbed) == 3 and all(other.shape == one.features.shape for other in one.perturbed)
    assert not any(torch.allclose(other, one.features, rtol=0.1) for other in one.perturbed)
    crops, plain = speech.crops(step=0, size=200, frames=5), 0
    for features, latents, mask in zip(crops.features, crops.latents, crops.mask, strict=True):
        features, latents = features[:, mask[0].bool()], latents[:, mask[0].bool()]
        for one in speech.known.values():
            size = latents.shape[1]
            same = (one.latents.unfold(1, size, 1) == latents[:, None]).all(dim=(0, 2)).nonzero().flatten()
            plain += any(torch.equal(one.features[:, start : start + size], features) for start in same.tolist())
    assert 200 * 0.2 < plain < 200 * 0.4
    assert not speech.fresh(0).perturbed


def test_several_speakers_take_turns(make_speech, speakers):
    speech = make_speech(**speakers)
    ids = {speech.utterance(number, step=0).speaker_id for number in range(12)}
    assert ids == {0, 1, 2}
    crops = speech.crops(step=0, size=4, frames=8)
    assert crops.speaker_ids.shape == (4,)
    chosen = OwnSpeech(speech.model, speech.tokenizer, BASE_TEXTS, 0, [2, 0])
    assert {chosen.utterance(number, step=0).speaker_id for number in range(12)} == {0, 2}


def test_fresh_speech_has_texts_of_its_own_if_there_are_enough(make_speech):
    texts = [f"a {letter}" for letter in "bcdefghijk"]
    speech = make_speech(texts=texts)
    assert speech.fresh_texts == ["a k"] and "a k" not in speech.texts and len(speech.texts) == 9
    few = make_speech()
    assert few.texts == few.fresh_texts == BASE_TEXTS


def test_speech_without_a_spectrogram_is_an_error(make_speech):
    speech = make_speech()
    speech.spectrogram.fft_size = 10**6
    with pytest.raises(ValueError, match="give longer texts"):
        speech.utterance(0, step=0)


def test_texts_are_divided_and_those_that_cannot_be_said_are_left_out(make_tokenizer):
    tokenizer = make_tokenizer()
    long = "Feed me a cabbage. " * 20
    found = usable_texts(["a hope", None, " ", "xyz", "привет", "a hope", 7, long, "No. Me."], tokenizer)
    assert found == ["a hope", "Feed me a cabbage.", "No.", "Me."]
    with pytest.raises(ValueError, match="none of the texts"):
        usable_texts(["xyz", "привет"], tokenizer)


def test_texts_are_spread_over_the_data_and_of_a_stream_the_first(monkeypatch):
    monkeypatch.setattr(own_speech, "MAX_TEXTS", 4)
    data = datasets.Dataset.from_dict({"said": [str(number) for number in range(10)], "other": list(range(10))})
    assert list(texts_of(data, "said")) == ["0", "2", "5", "7"]
    assert list(texts_of(data.to_iterable_dataset(), "said")) == ["0", "1", "2", "3"]
