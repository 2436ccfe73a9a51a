"""Figures of a run at a step, as a line and as a table."""

from hf_vits.training.speech_figures import SpeechFigures, SpeechSetup, history_values


def line(step, kind, value):
    return {"step": step, f"{kind}/wer": value, f"{kind}/wer/low": value / 2, f"{kind}/wer/high": 2 * value}


HISTORY = [line(0, "eval", 0.016), line(0, "recordings", 0.043), line(50, "eval", 0.1), line(100, "eval", 0.031)]


def test_values_are_those_of_a_step_or_the_newest():
    assert history_values(HISTORY, "eval", 50) == {"wer": 0.1, "wer/low": 0.05, "wer/high": 0.2}
    assert history_values(HISTORY, "eval")["wer"] == 0.031
    assert history_values(HISTORY, "other") == {}


def test_figures_are_of_the_last_evaluation_that_is_not_later():
    steps = [SpeechFigures.of(HISTORY, step, ["wer"]).step for step in (0, 49, 50, 99, 100, 500)]
    assert steps == [0, 0, 50, 50, 100, 100]


def test_a_line_has_the_interval_and_what_to_compare_with():
    later, first = (SpeechFigures.of(HISTORY, step, ["wer"]).line() for step in (100, 0))
    assert later == "wer 3.1 % (1.6 % to 6.2 %; step 0 1.6 %, recordings 4.3 %)"
    assert first == "wer 1.6 % (0.8 % to 3.2 %; recordings 4.3 %)"


def test_a_table_has_a_row_each_for_base_voice_and_recordings():
    rows = SpeechFigures.of(HISTORY, 100, ["wer"]).table("the base").splitlines()
    assert [row.split("|")[1].strip() for row in rows] == [
        "",
        "---",
        "the base",
        "**this voice**, step 100",
        "recordings",
    ]
    assert [row.split("|")[2].strip() for row in rows[2:]] == [
        "1.6 % (0.8 % to 3.2 %)",
        "3.1 % (1.6 % to 6.2 %)",
        "4.3 % (2.1 % to 8.6 %)",
    ]
    assert "the base" not in SpeechFigures.of(HISTORY, 0, ["wer"]).table("the base")


def test_metadata_of_a_card_has_metrics_that_were_measured_with_error_rates_in_percent():
    setup = SpeechSetup({"wer": "Whisper", "cer": "Whisper"}, sentences=40, recordings=10)
    (result,) = SpeechFigures.of(HISTORY, 100, ["wer", "cer"]).eval_results(setup, "data")
    assert result.metric_type == "wer" and abs(result.metric_value - 3.1) < 1e-9
