"""Pictures show what was measured: the mels, F0 and lengths of readings themselves."""

import numpy as np
import pytest

pytest.importorskip("librosa")
pytest.importorskip("matplotlib")
import spoken_tones as tones

from hf_vits.evaluation import Utterance
from hf_vits.evaluation.pictures import draw_durations, draw_sentence, durations_figure, sentence_figure


def test_a_sentence_has_the_mel_of_each_utterance_on_one_axis_of_time_and_their_f0():
    utterances = {"recording": Utterance("a", tones.sentence(), 16000), "speech": Utterance("a", tones.hiss(2), 16000)}
    *mels, f0 = sentence_figure(utterances).axes
    for axis, (label, utterance) in zip(mels, utterances.items(), strict=True):
        (image,) = axis.get_images()
        assert np.array_equal(image.get_array(), utterance.frames.mel) and axis.get_title("left") == label
        assert image.get_extent()[1] == pytest.approx(utterance.frames.seconds, abs=0.02)
        assert axis.get_xlim() == f0.get_xlim() and f0.get_xlim()[1] == pytest.approx(2, abs=0.02)
    drawn = [line.get_ydata() for line in f0.get_lines()]
    for values, utterance in zip(drawn, utterances.values(), strict=True):
        assert np.array_equal(values, utterance.frames.f0, equal_nan=True)


def test_durations_have_each_reading_of_each_sentence_and_the_recordings():
    rows = {2: {"readings": [1.0, 3.0, 2.0], "recorded_seconds": 2.5}, 5: {"readings": [4.0, 4.5, 5.0]}}
    (axis,) = durations_figure(rows).axes
    readings, recorded = axis.get_lines()
    assert sorted(readings.get_xdata()) == [1, 2, 3, 4, 4.5, 5] and np.nanmax(recorded.get_xdata()) == 2.5
    assert [label.get_text() for label in axis.get_yticklabels()] == ["2", "5"]


def test_files_are_named_for_the_sentence_and_nothing_is_drawn_without_readings(tmp_path):
    names = draw_sentence(tmp_path, 4, {"speech": Utterance("a", tones.sentence(), 16000)})
    names += draw_durations(tmp_path, [{"readings": [1.0, 2.0]}])
    assert names == ["pictures/0005.png", "pictures/durations.png"]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert draw_durations(tmp_path, [{"text": "a"}]) == []
