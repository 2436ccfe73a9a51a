"""The report of a completed voice is what was measured, and the model card says the same numbers."""

import json
from types import SimpleNamespace

import pytest

from hf_vits.training.completion import CHECKED_UTTERANCES, CROP_FRAMES, MEASURES, VERSION, CompletionSettings
from hf_vits.training.completion_report import REPORT, ROWS, build_report, notes_of, read_report

BEFORE = {"nll": 4.1234, "relative_error": 1.5, "duration_nll": 3.25, "mel_distance": 2.75}
AFTER = {"nll": 1.0625, "relative_error": 0.25, "duration_nll": 0.5, "mel_distance": 0.125}


@pytest.fixture
def finished():
    """Makes a finished training, of 1,800 steps by default, whose pool of utterances grows by one in each step."""

    def make(**fields):
        values = {
            "settings": CompletionSettings(cpu_threads=3),
            "step": 1800,
            "speech": SimpleNamespace(pool=lambda step: range(step - 9, step + 1)),
            "seconds": 4530.0,
            "model": SimpleNamespace(device=SimpleNamespace(type="cpu")),
            "before": BEFORE,
            "check": lambda: AFTER,
            "history": [{"step": 25, "nll": 3.9996}, {"step": 50, "nll": 2.0}, {"step": 1800, "nll": 1.25}],
        }
        return SimpleNamespace(**{**values, **fields})

    return make


@pytest.fixture
def report(finished):
    return build_report(finished(), "owner/base", ("posterior_encoder", "duration_predictor"), "`texts.txt`")


def test_it_has_what_the_result_depends_on_and_what_was_measured(report):
    assert report == {
        "base": "owner/base",
        "version": VERSION,
        "trained": ["posterior_encoder", "duration_predictor"],
        "texts": "`texts.txt`",
        "settings": {"max_steps": 1800, "batch_size": 16, "learning_rate": 6e-4, "seed": 1234},
        "utterances": 1800,
        "minutes": 75.5,
        "device": "cpu",
        "before": BEFORE,
        "after": AFTER,
        "history": [{"step": 25, "nll": 3.9996}, {"step": 50, "nll": 2.0}, {"step": 1800, "nll": 1.25}],
    }


def test_the_last_utterances_are_those_that_the_last_step_could_use(finished):
    asked = []
    speech = SimpleNamespace(pool=lambda step: asked.append(step) or range(40, 64))
    assert build_report(finished(step=7, speech=speech), "base", [], "texts")["utterances"] == 64 and asked == [6]


def test_a_report_in_a_folder_is_read_as_it_was_whatever_the_encoding_of_the_system(report, tmp_path):
    for text in (json.dumps(report), json.dumps({**report, "base": "голос"}, ensure_ascii=False)):
        (tmp_path / REPORT).write_bytes(text.encode())
        assert read_report(tmp_path) == json.loads(text)
    assert read_report(tmp_path)["base"] == "голос"


def test_the_card_says_which_modules_were_trained_on_what_for_how_long(report):
    first, second, *_ = notes_of(report)
    assert first.startswith("`owner/base` was") and "`posterior_encoder`, `duration_predictor`, were trained" in first
    assert f"1,800 steps of 16 crops of {CROP_FRAMES} frames, from 1,800 utterances of `texts.txt`" in second
    assert "in 75.5 minutes on cpu" in second and second.endswith("latent value: from 4.000 to 1.250.")


def test_each_measure_of_the_check_stands_in_the_card_with_its_value_before_and_after(report):
    assert ROWS.keys() == {*MEASURES, "mel_distance"}
    note = notes_of(report)[2]
    assert f"On {CHECKED_UTTERANCES} utterances that were not trained on" in note
    values = note.split("before and after: ")[1].removesuffix(".").split("; ")
    expected = [f"{ROWS[name]} {BEFORE[name]:.3f}, {AFTER[name]:.3f}" for name in ROWS]
    assert values == expected and values[0].endswith(" 4.123, 1.062")


def test_a_training_that_is_shorter_than_a_line_of_its_history_says_that_no_loss_was_logged(finished):
    short = build_report(finished(history=[], step=3, seconds=2.0), "base", ["posterior_encoder"], "texts")
    assert "in 0.0333 minutes" in notes_of(short)[1] and notes_of(short)[1].endswith("latent value: not logged.")
