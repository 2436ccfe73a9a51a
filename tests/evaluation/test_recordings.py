"""Recordings to compare with are spread evenly over the data, and read when they are measured."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from hf_vits.evaluation import EvaluationSettings
from hf_vits.evaluation.recordings import MAX_TARGET_RECORDINGS, EvaluationData, Recordings
from hf_vits.evaluation.speaking import Sentence

datasets = pytest.importorskip("datasets")
RATE = 8000


@pytest.fixture
def pipe(make_config, speakers):
    """A voice of the speakers ada, bea and cem, as far as recordings need one."""
    return SimpleNamespace(model=SimpleNamespace(config=make_config(sampling_rate=RATE, **speakers)))


@pytest.fixture
def settings(tmp_path):
    return lambda **given: EvaluationSettings(
        **{"output_dir": str(tmp_path / "report"), "dataset_name": "data", **given}
    )


@pytest.fixture
def take(pipe, settings):
    """Makes recordings of a table, whose audio need not exist, with these settings."""

    def make(count=100, labels=None, rows=None, **given):
        table = {"text": [f"text {row}" for row in range(rows)]} if rows is not None else {}
        table |= {name: given.pop(name) for name in ("text", "who", "audio") if name in given}
        table.setdefault("audio", [f"{row}.wav" for row in range(len(table["text"]))])
        data = datasets.Dataset.from_dict(table).cast_column("audio", datasets.Audio(decode=False))
        if labels:
            data = data.cast_column("who", datasets.ClassLabel(names=labels))
        return Recordings(data, settings(**given), pipe, count)

    return make


@pytest.mark.parametrize(
    ("rows", "count"), [(1, 1), (5, 5), (5, 9), (10, 3), (10, 7), (100, 64), (65, 64), (64, 64), (1000, 300), (0, 3)]
)
def test_rows_are_as_many_as_asked_for_in_their_order_and_with_even_gaps(take, rows, count):
    recordings = take(count, rows=rows)
    chosen = [int(text.split()[1]) for text, _ in recordings.sentences]
    assert len(recordings) == len(chosen) == min(rows, count) and chosen[:1] == [0][:rows]
    gaps = {after - before for before, after in zip(chosen, [*chosen[1:], rows], strict=True)} if chosen else {1}
    assert min(gaps) >= 1 and max(gaps) - min(gaps) <= 1


def test_a_recording_is_read_when_it_is_asked_for_and_resampled_to_the_rate_of_the_voice(take, tmp_path):
    pytest.importorskip("librosa")
    times = np.arange(2 * RATE) / (2 * RATE)  # a second
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 440 * times), 2 * RATE, subtype="FLOAT")
    recordings = take(text=["missing", "a tone"], audio=["/nowhere/a.wav", str(tmp_path / "tone.wav")])
    assert recordings.sentences == [Sentence("missing"), Sentence("a tone")]
    utterance = recordings[1]
    assert (utterance.text, utterance.sampling_rate, utterance.speaker) == ("a tone", RATE, None)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert utterance.waveform.shape == (RATE,) and utterance.waveform.dtype == np.float32
    np.testing.assert_allclose(utterance.waveform[500:-500], expected[500:-500], atol=1e-2)
    with pytest.raises((OSError, ValueError), match="nowhere"):
        next(iter(recordings))


def test_all_recordings_are_read_in_their_order(take, tmp_path):
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", np.full(100, 0.25 * (number + 1)), RATE, subtype="FLOAT")
    recordings = take(rows=3, audio=[str(tmp_path / f"{number}.wav") for number in range(3)])
    assert [(one.text, *set(one.waveform.tolist())) for one in recordings] == [
        ("text 0", 0.25),
        ("text 1", 0.5),
        ("text 2", 0.75),
    ]


@pytest.mark.parametrize(
    ("who", "labels", "expected"),
    [
        (["cem", "ada", " bea "], None, [2, 0, 1]),
        ([2, None, 0], None, [2, 1, 0]),
        ([0, 1, -1], ["bea", "cem"], [1, 2, 1]),
        (["", "2", "cem"], None, [1, 2, 2]),
    ],
    ids=["names", "numbers", "classes", "empty"],
)
def test_a_row_is_spoken_by_the_speaker_that_it_names_and_else_by_that_of_the_settings(take, who, labels, expected):
    recordings = take(rows=3, who=who, labels=labels, speaker_column="who", speaker_id="bea")
    assert [speaker for _, speaker in recordings.sentences] == expected


def test_without_a_column_of_speakers_all_rows_are_of_the_one_in_the_settings(take):
    for given, expected in ((None, None), ("cem", 2), ("1", 1)):
        assert [one.speaker for one in take(rows=2, speaker_id=given).sentences] == [expected] * 2


def test_a_speaker_or_a_column_that_does_not_exist_is_an_error_that_names_those_that_do(take):
    with pytest.raises(ValueError, match=r"dora(.|\n)*ada"):
        take(rows=2, speaker_id="dora")
    with pytest.raises(ValueError, match=r"dora(.|\n)*ada"):
        take(rows=2, who=["ada", "dora"], speaker_column="who").sentences  # noqa: B018
    with pytest.raises(ValueError, match=r"said(.|\n)*text"):
        take(rows=2, text_column="said")


def table_of(split, rows):
    table = {"text": [f"{split} {row}" for row in range(rows)], "audio": ["a.wav"] * rows}
    return datasets.Dataset.from_dict(table)


@pytest.fixture
def load(monkeypatch, pipe, settings):
    """Loads what settings name, from data of so many rows to train on and to evaluate on."""

    def go(train, evaluation=None, **given):
        def load_data(*names, columns):
            return table_of("train", train), evaluation and table_of("eval", evaluation)

        monkeypatch.setattr("hf_vits.evaluation.recordings.load_data", load_data)
        return EvaluationData.load(settings(**given), pipe)

    return go


def test_the_target_is_what_is_trained_on_and_the_evaluation_list_is_spoken(load):
    data = load(200, 50, max_sentences=20)
    assert (len(data.target), len(data.recordings)) == (MAX_TARGET_RECORDINGS, 20)
    assert data.sentences == data.recordings.sentences and data.is_parallel and not data.is_target
    assert (data.target.sentences[0].text, data.sentences[0].text) == ("train 0", "eval 0")
    alone = load(200, max_sentences=20)
    assert (len(alone.target), len(alone.recordings)) == (MAX_TARGET_RECORDINGS, 20)
    assert alone.is_parallel and alone.is_target


def test_texts_of_a_file_are_spoken_by_the_speaker_of_the_settings_whatever_the_recordings_say(load, tmp_path):
    (tmp_path / "texts.txt").write_text("one\n\n two \nthree\n")
    given = {"texts": str(tmp_path / "texts.txt"), "speaker_id": "cem", "max_sentences": 2}
    data = load(5, 3, **given)
    assert data.sentences == [Sentence("one", 2), Sentence("two", 2)]
    assert not data.is_parallel and (len(data.target), len(data.recordings)) == (5, 2)
    alone = load(5, dataset_name=None, **given)
    assert alone.sentences == data.sentences and alone.target is alone.recordings is None and not alone.is_parallel
