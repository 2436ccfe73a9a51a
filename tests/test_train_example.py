"""examples/train.py trains a voice with a file of settings, and every file of settings beside it is one."""

import importlib.util
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import transformers

from hf_vits import VitsConfig, VitsModel, VitsTokenizer
from hf_vits.data.load import load_data
from hf_vits.training import ModelAndDataArguments, VitsTrainingArguments

pytest.importorskip("accelerate")
pytest.importorskip("datasets")
EXAMPLES = Path(__file__).parents[1] / "examples"
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


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("train_example", EXAMPLES / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def settings(tmp_path, make_config):
    """A file of settings for six short recordings, one of which is held out."""
    noise = np.random.default_rng(0)
    for number in range(6):
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * noise.normal(size=800 + 50 * number), RATE)
    (tmp_path / "metadata.csv").write_text("file_name,text\n" + "".join(f"{n}.wav,a hope.\n" for n in range(6)))
    (tmp_path / "heldout.txt").write_text("5.wav\n")
    fields = make_config(sampling_rate=RATE).to_diff_dict()
    del fields["vocab_size"], fields["model_type"]
    names = {"dataset_name": str(tmp_path), "output_dir": str(tmp_path / "voice"), "model_config": fields}
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({**SETTINGS, **names}))
    return file


@pytest.fixture
def launch(example, monkeypatch):
    """Runs the example as `python examples/train.py …` does, in this process."""
    from accelerate.state import AcceleratorState, PartialState

    def go(*arguments):
        monkeypatch.setattr(sys, "argv", [str(EXAMPLES / "train.py"), *map(str, arguments)])
        with monkeypatch.context() as quiet:
            quiet.setattr(logging, "basicConfig", lambda **_: None)
            example.main()
        AcceleratorState._reset_state()
        PartialState._reset_state()

    return go


def steps(folder):
    return [json.loads(line)["step"] for line in (folder / "history.jsonl").read_text().splitlines()]


def test_it_leaves_a_voice_that_speaks_here_and_in_transformers_and_goes_on_when_told(launch, settings, tmp_path):
    voice = tmp_path / "voice"
    launch("--config", settings)
    tokenizer = VitsTokenizer.from_pretrained(voice)
    inputs = tokenizer("hope", return_tensors="pt")
    ours = VitsModel.from_pretrained(voice)(**inputs, generator=torch.Generator().manual_seed(3)).waveform
    stock = transformers.VitsModel.from_pretrained(voice)
    torch.manual_seed(3)
    torch.testing.assert_close(ours, stock(**inputs).waveform, rtol=0, atol=1e-5)
    assert steps(voice)[-1] == 2 and list((voice / "samples").glob("step-2/*.wav"))

    launch("--config", settings, "--resume_from_checkpoint", "latest", "--max_steps", 3)
    assert steps(voice)[-1] == 3 and (voice / "checkpoint-3").is_dir()


def test_arguments_win_over_the_file_and_the_file_over_defaults(example, settings):
    recipe, config, run = example.parse(
        ["--config", str(settings), "--per_device_train_batch_size", "7", "--text_column", "said"]
    )
    assert (config.per_device_train_batch_size, config.max_steps, config.report_to) == (7, 2, [])
    assert config.mel_weight == VitsTrainingArguments().mel_weight
    assert recipe.text_column == "said" and recipe.model_config["sampling_rate"] == RATE
    assert recipe.tokenizer_options == {"phonemize": False}
    assert run.resume_from_checkpoint is None and not run.push_to_hub


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"seeds": 3}, "`seeds` is no setting; did you mean `seed`?"),
        ({"max_steps": 2.5}, "`max_steps` is 2.5; it must be a whole number from 1 up"),
        ({"seed": None}, "`seed` is null; it must be a whole number from 0 up"),
        ({"hub_model_id": "a/b/c"}, "a/b/c"),
    ],
)
def test_a_mistake_in_the_file_ends_the_script_before_anything_is_read(
    launch, tmp_path, monkeypatch, capsys, settings, problem
):
    monkeypatch.setattr(ModelAndDataArguments, "trainer", lambda *_: pytest.fail("the run begins"))
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(SystemExit) as stop:
        launch("--config", tmp_path / "settings.json")
    assert stop.value.code == 2 and problem in capsys.readouterr().err


def test_an_unknown_argument_is_an_error_with_the_nearest_one(example, settings, capsys):
    with pytest.raises(SystemExit):
        example.parse(["--config", str(settings), "--seeds", "3"])
    assert "--seeds 3: there is no such argument; did you mean `--seed`?" in capsys.readouterr().err


@pytest.mark.parametrize(("former", "name"), VitsTrainingArguments.renamed.items())
def test_a_former_name_of_a_setting_is_an_error_that_gives_the_new_one(example, tmp_path, capsys, former, name):
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({former: 1}))
    _, arguments, _ = example.parse(["--" + name, "1"])
    for given, now in ((["--config", str(settings)], f"`{name}`"), ([f"--{former}", "1"], f"`--{name}`")):
        with pytest.raises(SystemExit):
            example.parse(given)
        assert f"it is now {now}." in capsys.readouterr().err


@pytest.mark.parametrize("file", sorted((EXAMPLES / "configs").glob("*.json")), ids=lambda file: file.stem)
def test_every_file_of_settings_is_one(example, file):
    recipe, config, _ = example.parse(["--config", str(file)])
    given = json.loads(file.read_text())
    for name, value in given.items():
        assert getattr(recipe if hasattr(recipe, name) else config, name) == value, name
    assert isinstance(recipe, ModelAndDataArguments) and recipe.dataset_name
    assert recipe.model_name_or_path or VitsConfig(**recipe.model_config).sampling_rate


def test_the_first_command_of_the_docs_finds_its_recordings(example, monkeypatch):
    monkeypatch.chdir(EXAMPLES.parent)
    recipe, _, _ = example.parse(["--config", "examples/configs/finetune_piper_cpu.json"])
    train, held_out = load_data(recipe.dataset_name)
    assert len(train) > 0 and len(held_out) > 0 and Path(train[0]["audio"]["path"]).is_file()


def test_the_table_of_clips_is_shown_even_if_none_is_dropped(example, monkeypatch):
    """It is no warning then, and Python shows nothing less by default."""
    shown = {}
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: shown.update(settings))
    monkeypatch.setattr(sys, "argv", ["train.py", "--help"])
    with pytest.raises(SystemExit):
        example.main()
    assert shown["level"] <= logging.INFO


class Finished:
    """Stands for a trainer whose run ends after so many steps."""

    def __init__(self, step):
        self.step, self.pushed = step, []

    def train(self, resume):
        return self

    def push_to_hub(self, repo_id, private):
        self.pushed.append((repo_id, private))


@pytest.mark.parametrize(("step", "pushed"), [(2, [("org/voice", True)]), (1, [])])
def test_a_voice_is_uploaded_when_it_is_finished_and_not_when_it_was_stopped(
    example, launch, settings, monkeypatch, step, pushed
):
    trainer = Finished(step)
    monkeypatch.setattr(ModelAndDataArguments, "trainer", lambda *_: trainer)
    monkeypatch.setattr(example, "check_login", lambda: None)
    launch("--config", settings, "--push_to_hub", "--hub_model_id", "org/voice", "--hub_private_repo", "true")
    assert trainer.pushed == pushed


def test_a_run_that_could_not_be_uploaded_does_not_begin(launch, settings, monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setattr(ModelAndDataArguments, "trainer", lambda *_: pytest.fail("the run begins"))
    with pytest.raises(PermissionError, match="nobody is logged in to the Hub.*`hf auth login`"):
        launch("--config", settings, "--push_to_hub")
