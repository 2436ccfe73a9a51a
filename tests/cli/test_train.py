"""`hf-vits train` trains a voice with a file of settings or a preset, and every preset is valid."""

import json
import logging
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import transformers

from hf_vits import VitsConfig, VitsModel, VitsTokenizer
from hf_vits.cli import main, train
from hf_vits.cli.parser import Parser
from hf_vits.cli.settings import preset_names
from hf_vits.data.load import load_data
from hf_vits.training import ModelAndDataArguments, VitsTrainingArguments

pytest.importorskip("accelerate")
pytest.importorskip("datasets")
ROOT = Path(__file__).parents[2]
RATE = 2000
SETTINGS = {
    "tokenizer_options": {"phonemize": False},
    "max_steps": 2,
    "per_device_train_batch_size": 2,
    "dataloader_num_workers": 0,
    "cpu_threads": 1,
    "segment_frames": 16,
    "min_duration_seconds": 0.1,
    "discriminator_channel_multiplier": 0.02,
    "max_eval_samples": 1,
    "report_to": [],
}


def parse(*arguments):
    parser = Parser()
    train.add_arguments(parser)
    return train.settings(parser.parse_args([*map(str, arguments)]))


@pytest.fixture
def settings(tmp_path, make_config):
    """A file of settings for six short recordings, one of which is for evaluation."""
    noise = np.random.default_rng(0)
    for number in range(6):
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * noise.normal(size=800 + 50 * number), RATE)
    (tmp_path / "metadata.csv").write_text("file_name,text\n" + "".join(f"{n}.wav,a hope.\n" for n in range(6)))
    (tmp_path / "eval.txt").write_text("5.wav\n")
    fields = make_config(sampling_rate=RATE).to_diff_dict()
    del fields["vocab_size"], fields["model_type"]
    names = {"dataset_name": str(tmp_path), "output_dir": str(tmp_path / "voice"), "model_config": fields}
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({**SETTINGS, **names}))
    return file


@pytest.fixture
def launch(monkeypatch):
    """Run `hf-vits train …` in this process; return its exit status."""
    from accelerate.state import AcceleratorState, PartialState

    def go(*arguments):
        with monkeypatch.context() as quiet:
            quiet.setattr(logging, "basicConfig", lambda **_: None)
            status = main(["train", *map(str, arguments)])
        AcceleratorState._reset_state()
        PartialState._reset_state()
        return status

    return go


def steps(folder):
    return [json.loads(line)["step"] for line in (folder / "history.jsonl").read_text().splitlines()]


@pytest.mark.thorough
def test_it_leaves_a_voice_that_speaks_here_and_in_transformers_and_resumes_if_asked(launch, settings, tmp_path):
    voice = tmp_path / "voice"
    assert launch("--config", settings) == 0
    tokenizer = VitsTokenizer.from_pretrained(voice)
    inputs = tokenizer("hope", return_tensors="pt")
    ours = VitsModel.from_pretrained(voice)(**inputs, generator=torch.Generator().manual_seed(3)).waveform
    stock = transformers.VitsModel.from_pretrained(voice)
    torch.manual_seed(3)
    torch.testing.assert_close(ours, stock(**inputs).waveform, rtol=0, atol=1e-5)
    assert steps(voice)[-1] == 2 and list((voice / "samples").glob("step-2/*.wav"))

    launch("--config", settings, "--resume_from_checkpoint", "latest", "--max_steps", 3)
    assert steps(voice)[-1] == 3 and (voice / "checkpoint-3").is_dir()


def test_a_folder_with_a_run_is_refused_before_the_data_is_read(launch, settings, tmp_path, capsys):
    (tmp_path / "voice" / "checkpoint-7").mkdir(parents=True)
    (tmp_path / "voice" / "checkpoint-7" / "training_state.pt").touch()
    assert launch("--config", settings, "--dataset_name", tmp_path / "no data here") == 1
    assert "holds a run of 7 steps" in capsys.readouterr().err
    assert launch("--config", settings, "--resume_from_checkpoint", tmp_path / "voice" / "checkpoint-8") == 1
    assert "checkpoint-8 is no checkpoint" in capsys.readouterr().err


def test_arguments_win_over_the_file_and_the_file_over_defaults(settings):
    recipe, config, run = parse("--config", settings, "--per_device_train_batch_size", "7", "--text_column", "said")
    assert (config.per_device_train_batch_size, config.max_steps, config.report_to) == (7, 2, [])
    assert config.lr_decay == VitsTrainingArguments().lr_decay
    assert recipe.text_column == "said" and recipe.model_config["sampling_rate"] == RATE
    assert recipe.tokenizer_options == {"phonemize": False}
    assert run.resume_from_checkpoint is None and not run.push_to_hub


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"seeds": 3}, "`seeds` is not a setting; did you mean `seed`?"),
        ({"max_steps": 2.5}, "`max_steps` is 2.5; it must be a whole number from 1 up"),
        ({"seed": None}, "`seed` is null; it must be a whole number from 0 up"),
        ({"hub_model_id": "a/b/c"}, "a/b/c"),
    ],
)
def test_a_mistake_in_the_file_ends_the_script_before_anything_is_read(
    launch, tmp_path, monkeypatch, capsys, settings, problem
):
    monkeypatch.setattr(ModelAndDataArguments, "build_trainer", lambda *_: pytest.fail("the run begins"))
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert launch("--config", tmp_path / "settings.json") == 2
    assert problem in capsys.readouterr().err


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("former", "name"), VitsTrainingArguments.renamed.items())
def test_a_former_name_of_a_setting_is_an_error_that_gives_the_new_one(launch, tmp_path, capsys, former, name):
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({former: 1}))
    assert launch("--config", settings) == 2
    assert f"it is now `{name}`." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        launch(f"--{former}", "1")
    assert f"it is now `--{name}`." in capsys.readouterr().err


PRESETS = preset_names(train.PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_keeps_its_values(name):
    recipe, config, _ = parse("--config", name)
    given = json.loads((train.PRESETS / f"{name}.json").read_text())
    given.pop("expectation", None)  # a sentence, no setting
    for field, value in given.items():
        assert getattr(recipe if hasattr(recipe, field) else config, field) == value, field
    assert isinstance(recipe, ModelAndDataArguments) and recipe.dataset_name
    assert recipe.model_name_or_path or VitsConfig(**recipe.model_config).sampling_rate


def test_an_unknown_preset_is_an_error_that_lists_the_known_ones(launch, capsys):
    assert launch("--config", "finetune_cpu") == 2
    errors = capsys.readouterr().err
    assert "there is no such file or preset; did you mean `finetune-cpu`" in errors
    assert f"Presets: {', '.join(PRESETS)}." in errors


def test_a_file_wins_over_a_preset_of_the_same_name_and_a_folder_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert parse("--config", "tiny")[1].output_dir == "tiny"
    (tmp_path / "tiny").rmdir()
    (tmp_path / "tiny").write_text('{"output_dir": "mine"}')
    assert parse("--config", "tiny")[1].output_dir == "mine"


def test_the_recordings_of_the_first_command_of_the_docs_exist():
    train_data, eval_data = load_data(str(ROOT / "examples" / "recordings"))
    assert len(train_data) > 0 and len(eval_data) > 0 and Path(train_data[0]["audio"]["path"]).is_file()


def test_the_module_is_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hf_vits.cli", "train", "--config", "nowhere.json"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("hf_vits.cli", run_name="__main__")
    assert stop.value.code == 2 and "`config` is 'nowhere.json'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("program", [["-m", "hf_vits.cli", "train"], [str(ROOT / "examples" / "train.py")]])
def test_launchers_start_it_as_a_module_and_as_a_script(program, tmp_path):
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", *program]
    command += ["--dataset_name", "nowhere", "--output_dir", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "hf-vits train: There is no folder" in done.stderr, done.stderr[-3000:]


def test_messages_of_level_info_are_shown(settings, monkeypatch):
    shown = {}
    monkeypatch.setattr(logging, "basicConfig", lambda **given: shown.update(given))
    monkeypatch.setattr(ModelAndDataArguments, "build_trainer", lambda *_: Finished(2))
    assert main(["train", "--config", str(settings)]) == 0
    assert shown["level"] <= logging.INFO


class Finished:
    """Stands for a trainer whose run ends after so many steps."""

    def __init__(self, finished):
        self.is_finished, self.pushed = finished, []

    def train(self, resume_from_checkpoint):
        return self

    def push_to_hub(self, repo_id, private):
        self.pushed.append((repo_id, private))


@pytest.mark.parametrize(("finished", "pushed"), [(True, [("org/voice", True)]), (False, [])])
def test_a_voice_is_uploaded_when_it_is_finished_and_not_when_it_was_stopped(
    launch, settings, monkeypatch, finished, pushed
):
    trainer = Finished(finished)
    monkeypatch.setattr(ModelAndDataArguments, "build_trainer", lambda *_: trainer)
    monkeypatch.setattr("hf_vits.training.trainer.check_login", lambda: None)
    launch("--config", settings, "--push_to_hub", "--hub_model_id", "org/voice", "--hub_private_repo", "true")
    assert trainer.pushed == pushed


def test_a_run_that_could_not_be_uploaded_does_not_begin(launch, settings, monkeypatch, tmp_path, capsys):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setattr(ModelAndDataArguments, "build_trainer", lambda *_: pytest.fail("the run begins"))
    assert launch("--config", settings, "--push_to_hub") == 1
    assert "nobody is logged in to the Hub" in (errors := capsys.readouterr().err) and "`hf auth login`" in errors
