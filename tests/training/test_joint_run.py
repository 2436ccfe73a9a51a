"""Two processes of one run do together what they cannot do alone: stop, measure evaluation clips, and end."""

from pathlib import Path

import joint_run
import processes
import pytest
from stub_hub import Hub

from hf_vits.training import ModelInitialization
from hf_vits.training.checkpoints import list_checkpoints
from hf_vits.training.loggers import ExperimentLogger, read_history


@pytest.fixture
def finished(make_start, make_trainer, make_settings, make_tokenizer, hub, tmp_path):
    """The folder of a run of two processes, once both have ended well."""
    start, voice = make_start(lively=True), tmp_path / "start"
    start.model.save_pretrained(voice)
    start.discriminator.save_pretrained(voice / "discriminator")
    make_tokenizer().save_pretrained(voice)
    settings = make_settings(
        output_dir_name="joint", per_device_train_batch_size=2, max_steps=50, min_duration_seconds=0.1
    )
    online = {"HF_TOKEN": "hf_stub", "NO_PROXY": "127.0.0.1"}
    running = [
        processes.start(joint_run.train, str(voice), settings.to_dict(), hub, environment={**online, **place})
        for place in processes.joint_environments(2)
    ]
    assert processes.exit_codes(running) == [0, 0]
    return Path(settings.output_dir)


@pytest.mark.thorough
def test_two_processes_stop_when_one_gets_a_signal_measure_what_one_does_and_end_after_an_upload(
    finished, make_trainer, make_data
):
    assert [folder.name for folder in list_checkpoints(finished)] == ["checkpoint-2"]
    assert "model.safetensors" in Hub.files and "discriminator/model.safetensors" in Hub.files

    evaluation = make_data(8, text=["a hope", "feed me"] * 4)
    evaluation = evaluation.select(range(3))
    start = ModelInitialization.from_pretrained(str(finished.parent / "start"))
    alone = make_trainer(start=start, eval_dataset=evaluation)
    measured = alone.evaluation.run(0, ExperimentLogger(alone.accelerator, alone.output_dir, alone.args))
    joint = next(line for line in read_history(finished) if "eval/mel" in line)
    assert {name: joint[name] for name in measured} == pytest.approx(measured, rel=1e-4)
