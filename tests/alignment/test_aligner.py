import numpy as np
import pytest
import torch

import hf_vits
from hf_vits import ForcedAligner
from hf_vits.alignment.aligner import LEVELS_DB, USUAL_DB
from hf_vits.data.levels import speech_level
from hf_vits.text.errors import NoTokensError
from hf_vits.timestamps import output_timestamps

TEXT = "a bad cab ok."


def seconds(frames):
    return frames * 8 / 16000


def noisy(frames):
    """Latents that no token explains."""
    return 20 * torch.randn(8, frames, generator=torch.Generator().manual_seed(9))


def truth(aligner, text, frames, shift):
    encoding = aligner.tokenizer([text], return_offsets_mapping=True)
    times = output_timestamps(aligner.tokenizer, [text], encoding, [frames], aligner.model.config, True)[0]
    return {u: [(t["text"], t["start"] + shift, t["end"] + shift) for t in times[u]] for u in ("word", "phoneme")}


@pytest.mark.parametrize("around", [(0, 0), (40, 60), (0, 50), (30, 0)])
def test_times_are_those_with_which_a_text_was_said(aligner, recordings, around):
    """Those of the tokens' own frames, as `output_timestamps` has them; silence around belongs to no word."""
    frames = recordings.record("x", TEXT, None, *around)
    found = aligner.align("x", TEXT)
    expected = truth(aligner, TEXT, frames, seconds(around[0]))
    for unit in ("word", "phoneme"):
        times = [(item["text"], item["start"], item["end"]) for item in found.timestamps[unit]]
        assert [text for text, *_ in times] == [text for text, *_ in expected[unit]]
        assert np.allclose([t[1:] for t in times], [t[1:] for t in expected[unit]])
    assert found.duration == pytest.approx(seconds(sum(frames) + sum(around)))
    assert found.confidence > 0.9


@pytest.mark.parametrize("skipped", [2, 4, 6])
def test_frames_of_a_recording_may_begin_anywhere(aligner, recordings, skipped):
    """With samples before the first frame, the most likely frames begin after these, and times count them."""
    frames = recordings.record("x", TEXT, None, 20, 20, noise=0.1)
    latents, wave = recordings.known["x"]
    recordings.known["x"] = latents, np.pad(wave, (skipped, 0))
    expected = truth(aligner, TEXT, frames, seconds(20 + skipped / 8))
    found = aligner.align("x", TEXT)
    times = [(word["start"], word["end"]) for word in found.words]
    assert np.allclose(times, [word[1:] for word in expected["word"]])
    assert found.duration == pytest.approx(seconds(sum(frames) + 40 + skipped / 8))
    coarse = aligner.align("x", TEXT, phases=1)
    assert coarse.words[0]["start"] != found.words[0]["start"]
    assert (found.score, found.confidence) == (coarse.score, coarse.confidence)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"phases": 0}, "`phases` is 0; give 1 to 8"),
        ({"phases": 9}, "`phases` is 9; give 1 to 8"),
        ({"speaker_id": [0, 0, 0]}, "`speaker_id` has 3 values for 2 recordings"),
        ({"language_id": []}, "`language_id` has 0 values for 2 recordings"),
    ],
)
def test_choices_that_do_not_fit_the_recordings_are_errors(aligner, recordings, options, named):
    recordings.record("x", TEXT)
    with pytest.raises(ValueError, match=named):
        aligner.align(["x", "x"], [TEXT, TEXT], **options)


def test_silence_between_words_belongs_to_none(aligner, recordings):
    frames = recordings.record("a", "a bad cab")
    recordings.record("b", "a bad cab", frames)
    latents, wave = recordings.known["b"]
    place = sum(frames[:3])  # blank, a, blank
    recordings.known["b"] = (
        torch.cat([latents[:, :place], noisy(70), latents[:, place:]], dim=1),
        np.insert(wave, [place * 8] * 560, np.float32(0)),
    )
    plain, paused = aligner.align("a", "a bad cab").words, aligner.align("b", "a bad cab").words
    assert [word["end"] - word["start"] for word in paused] == pytest.approx(
        [word["end"] - word["start"] for word in plain]
    )
    assert paused[1]["start"] - plain[1]["start"] == pytest.approx(seconds(70))


def test_several_sentences_follow_one_another(aligner, recordings):
    frames = [recordings.record("1", "A bad cab."), recordings.record("2", "Oh no.", seed=1)]
    parts = [recordings.known[name] for name in "12"]
    gap = (noisy(50), np.zeros(400, np.float32))
    recordings.known["both"] = (
        torch.cat([parts[0][0], gap[0], parts[1][0]], dim=1),
        np.concatenate([parts[0][1], gap[1], parts[1][1]]),
    )
    found = aligner.align("both", "A bad cab. Oh no.")
    assert [sentence["text"] for sentence in found.sentences] == ["A bad cab.", "Oh no."]
    assert found.sentences[1]["start"] == pytest.approx(seconds(sum(frames[0]) + 50))
    assert found.sentences[1]["end"] == pytest.approx(found.duration)


def test_lists_equal_their_items_and_wrong_texts_are_doubted(aligner, recordings):
    texts = ["a bad cab ok", "dig a hole.", "no dice"]
    for number, text in enumerate(texts):
        recordings.record(number, text, seed=number, after=20)
    found = aligner.align([0, 1, 2], texts)
    assert found == [aligner.align(number, text) for number, text in enumerate(texts)]
    wrong = aligner.align(0, "dig a hole.")
    assert wrong.confidence < 0.9 < min(one.confidence for one in found)
    assert wrong.score < 5 * min(one.score for one in found)  # both are negative


def test_adaptation_finds_the_map_of_another_speaker(aligner, recordings):
    texts, draw = ["dig a hole a bad cab.", "oh no keep a field.", "he came back ok."] * 20, torch.Generator()
    for number, text in enumerate(texts):
        recordings.record(number, text, seed=number)
    turned = torch.linalg.qr(torch.randn(8, 8, generator=draw.manual_seed(0)))[0]
    turned = torch.linalg.matrix_exp(0.7 * (turned - turned.T))
    for number in range(len(texts)):
        recordings.known[number] = (turned @ recordings.known[number][0] + 1, recordings.known[number][1])
    before = aligner.align(list(range(5)), texts[:5])
    after = aligner.adapt(list(range(len(texts))), texts).align(list(range(5)), texts[:5])
    assert aligner.adaptation is not None
    assert np.mean([one.confidence for one in after]) > np.mean([one.confidence for one in before])
    assert min(one.confidence for one in after) > 0.9 > aligner.align(0, texts[1]).confidence


def test_little_sound_is_not_adapted_to(aligner, recordings):
    recordings.record("x", TEXT)
    assert aligner.adapt(["x"], [TEXT]).adaptation is None


def test_recordings_of_unusual_level_are_scaled(make_model, make_tokenizer):
    aligner, noise = ForcedAligner(make_model(), make_tokenizer()), np.random.default_rng(0).normal(size=16000)
    for level in (-50.0, -20.0, -4.0):
        sound = {"array": (noise * 10 ** (level / 20)).astype(np.float32), "sampling_rate": 16000}
        found = speech_level([aligner.waveform(sound)], 16000)
        expected = level if LEVELS_DB[0] <= level <= LEVELS_DB[1] else USUAL_DB
        assert found == pytest.approx(expected, abs=0.1)


def test_mistakes_are_named(aligner, recordings, make_model, make_tokenizer):
    recordings.record("x", TEXT)
    with pytest.raises(ValueError, match="2 recordings and 1 texts"):
        aligner.align(["x", "x"], [TEXT])
    with pytest.raises(ValueError, match="it cannot be all of what is said"):
        aligner.align("x", "a bad cab " * 30)
    with pytest.raises(NoTokensError):
        aligner.align("x", "***")
    with pytest.raises(ValueError, match="hf-vits complete"):
        hf_vits.ForcedAligner(make_model(inference_only=True), make_tokenizer())


def test_a_recording_of_any_rate_keeps_its_seconds(make_model, make_tokenizer, tmp_path):
    import soundfile

    aligner = ForcedAligner(make_model(), make_tokenizer())
    for rate in (8000, 48000):
        noise = np.random.default_rng(0).normal(0, 0.1, rate // 8)
        soundfile.write(tmp_path / "x.wav", noise, rate)
        found = aligner.align(tmp_path / "x.wav", TEXT)
        assert found.duration == pytest.approx(0.125, abs=1e-3)
        assert 0 <= found.words[0]["start"] <= found.words[-1]["end"] <= found.duration


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("hf_vits.alignment.aligner.find_spec", lambda name: None if name == "numba" else True)
    with pytest.raises(ImportError, match=r"numba is not installed.*hf_vits\[train\]"):
        ForcedAligner("voice")
