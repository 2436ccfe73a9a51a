"""A run ends with where its voice is, and with commands that can be copied."""

import json
import logging
import shlex
import signal

import pytest
import soundfile

from hf_vits.cli import main
from hf_vits.training import Columns
from hf_vits.training.evaluation import NOT_EVALUATED


def commands(text):
    """The command that speaks, as a shell splits it, and what is said about going on."""
    speak, go_on = (line.split(":", 1)[1].strip() for line in text.splitlines()[1:])
    return shlex.split(speak), go_on


def interrupt_after_first_step(trainer):
    advance = trainer._advance

    def advance_and_interrupt(*given):
        advance(*given)
        if trainer.progress.step == 1:
            signal.raise_signal(signal.SIGINT)

    trainer._advance = advance_and_interrupt


def test_a_finished_run_says_how_its_voice_is_listened_to_and_trained_further(
    make_trainer, make_data, monkeypatch, tmp_path
):
    evaluation = make_data(1, text=["a 'hope'"])
    trainer = make_trainer(max_steps=1, eval_dataset=evaluation, output_dir_name="my voice")
    trainer.progress.step = 1
    trainer.save_model()
    last = trainer.summary().closing_message()
    assert last.startswith(f"The voice is in {tmp_path}/my voice, after all 1 steps.")
    speak, go_on = commands(last)
    assert speak[:3] == ["hf-vits", "speak", "a 'hope'"]
    assert go_on == "the same command with --resume_from_checkpoint latest, and `--max_steps` above 1"
    monkeypatch.chdir(tmp_path)
    assert main(speak[1:]) == 0
    assert soundfile.info("hello.wav").frames > 0


def test_a_stopped_run_says_how_far_it_came_and_who_speaks(make_start, make_trainer, make_data, caplog, speakers):
    caplog.set_level(logging.INFO, "hf_vits")
    who = make_data(4, who=["ada", "bea", "cem", "ada"])
    trainer = make_trainer(make_start(**speakers), who, columns=Columns(speaker="who"), max_steps=9)
    interrupt_after_first_step(trainer)
    trainer.train()
    assert "after 1 of 9 steps" in caplog.messages[-1]
    speak, go_on = commands(caplog.messages[-1])
    assert speak[speak.index("--speaker") + 1] == "ada" and go_on.endswith("--resume_from_checkpoint latest")


@pytest.mark.parametrize("launched", [False, True])
def test_ctrl_c_under_a_launcher_says_what_goes_on(make_trainer, caplog, monkeypatch, launched):
    if launched:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    trainer = make_trainer(max_steps=9)
    interrupt_after_first_step(trainer)
    trainer.train()
    (warning,) = [message for message in caplog.messages if message.startswith("SIGINT")]
    assert ("`accelerate launch` may end before" in warning and "continues until it logs" in warning) == launched


def test_no_clips_for_evaluation_are_a_warning(make_trainer, make_data, caplog):
    make_trainer(max_steps=1)
    assert NOT_EVALUATED in [r.message for r in caplog.records if r.levelno == logging.WARNING]
    caplog.clear()
    make_trainer(max_steps=1, eval_dataset=make_data(2))
    assert NOT_EVALUATED not in caplog.messages


def test_the_card_of_a_run_with_one_line_of_history_names_its_step_once(make_trainer):
    trainer = make_trainer(max_steps=1)
    trainer.train()
    lines = (trainer.output_dir / "README.md").read_text().splitlines()
    history = [json.loads(line) for line in (trainer.output_dir / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in history] == [1]
    table = lines[lines.index("| | step 1 |") :]
    assert table[1] == "|---|---|" and all(line.count("|") == 3 for line in table[2:5])
