"""Two processes of one run do together what they cannot do alone: stop, measure evaluation clips, and end."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from stub_hub import Hub

from hf_vits.training import ModelInitialization
from hf_vits.training.checkpoints import list_checkpoints
from hf_vits.training.loggers import ExperimentLogger, read_history

SCRIPT = Path(__file__).with_name("joint_run.py")


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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    joint = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "1"}
    online = {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "hf_stub"}
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1", "HF_HOME": str(tmp_path), **online, **joint}
    running = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(voice), json.dumps(settings.to_dict())],
            env={**alone, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=240)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    return Path(settings.output_dir)


def test_two_processes_stop_when_one_is_told_measure_what_one_does_and_end_after_an_upload(
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
