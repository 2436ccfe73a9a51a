"""With little data, a run is shorter."""

import pytest

from hf_vits.data.filter_report import FilterReport
from hf_vits.training.phases import limited_steps
from hf_vits.training.training_arguments import VitsTrainingArguments


@pytest.mark.parametrize(
    ("seconds", "limit", "expected"), ((900, 1000, 5000), (90, 1000, 1500), (0.01, 1000, 1), (90, None, 5000))
)
def test_a_run_has_at_most_so_many_steps_for_a_minute_of_recordings(seconds, limit, expected):
    args = VitsTrainingArguments(max_steps=5000, max_steps_per_minute=limit)
    assert limited_steps(args, FilterReport(kept=1, seconds=seconds)) == expected


def test_settings_that_do_not_fit_the_shorter_run_are_refused():
    args = VitsTrainingArguments(max_steps=5000, max_steps_per_minute=1000, duration_adversarial_steps=2000)
    with pytest.raises(ValueError, match="`duration_adversarial_steps` is 2000, beyond `max_steps`, 1500"):
        limited_steps(args, FilterReport(kept=1, seconds=90))


def test_a_trainer_with_little_data_takes_fewer_steps_and_says_so(make_trainer, make_data, caplog):
    with caplog.at_level("INFO"):
        trainer = make_trainer(data=make_data(2), max_steps=500, max_steps_per_minute=20)
    seconds = trainer.filter_report.seconds
    assert trainer.args.max_steps == max(1, round(20 * seconds / 60)) < 500
    assert f"{seconds / 60:.1f} minutes of recordings: {trainer.args.max_steps} steps in place of 500" in caplog.text
    with pytest.raises(ValueError, match="`max_steps_per_minute` needs data that is no stream"):
        make_trainer(data=make_data(2).to_iterable_dataset(), max_steps_per_minute=20, output_dir_name="stream")
