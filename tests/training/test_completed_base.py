"""A base is completed once: its own parameters stay, a stopped run continues, and a finished one is cached."""

import copy
import json
import logging
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import datasets
import pytest
import torch
from training_runs import BASE_TEXTS, SMALL_DISCRIMINATOR

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.conversion import Converted
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.hub.license import origin_of
from hf_vits.training import complete, completed_base
from hf_vits.training.completed_base import Texts, complete_for_training, load_base
from hf_vits.training.completion import Completion
from hf_vits.training.completion_report import REPORT, read_report
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.initialization import load_discriminator
from hf_vits.utils.run_lock import run_lock

IDS = torch.tensor([[0, 3, 0, 5, 0, 9, 0]])


def speech(folder, **options):
    model = copy.deepcopy(VitsModel.from_pretrained(folder))  # in memory of usual alignment, on which rounding depends
    return model(IDS, generator=torch.Generator().manual_seed(3), **options).waveform


def files(folder):
    return {file.name: file.read_bytes() for file in Path(folder).iterdir() if file.is_file()}


@pytest.fixture
def no_training(monkeypatch):
    """A step is an error from now on."""
    return lambda: monkeypatch.setattr(Completion, "train_step", lambda self: pytest.fail("a step is taken"))


@pytest.fixture
def stop_at(monkeypatch):
    """Do something instead of going on after so many steps of one process."""
    take = Completion.train_step

    def arrange(step, what):
        def step_and_stop(self):
            take(self)
            if self.step == step:
                monkeypatch.setattr(Completion, "train_step", take)
                what()

        monkeypatch.setattr(Completion, "train_step", step_and_stop)

    return arrange


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def die():
    raise RuntimeError("killed")


@pytest.mark.thorough
@pytest.mark.parametrize("fields", [{}, {"num_speakers": 3, "speaker_embedding_size": 6}], ids=["one", "several"])
def test_the_voice_can_be_trained_and_speaks_bitwise_as_before(make_base, small_completion, tmp_path, fields):
    base = make_base(**fields)
    (base / "README.md").write_text("---\nlicense: mit\nlanguage: en\n---\n# Base\n")
    out = complete(base, tmp_path / "out", BASE_TEXTS, small_completion(), "six texts")
    model, old = VitsModel.from_pretrained(out), VitsModel.from_pretrained(base)
    own, weights = old.state_dict(), model.state_dict()
    assert own.keys() < weights.keys()
    assert all(torch.equal(weights[name], value) for name, value in own.items())
    speaker = {"speaker_id": 1} if fields else {}
    assert torch.equal(speech(base, **speaker), speech(out, **speaker))
    assert not model.missing_for_training() and VitsGenerator(model)
    assert (
        VitsTokenizer.from_pretrained(out)("a hope").input_ids
        == VitsTokenizer.from_pretrained(base)("a hope").input_ids
    )
    card, report = (out / "README.md").read_text(), read_report(out)
    assert origin_of(str(out)).license == "mit" and card.startswith("---") and "# out" in card
    assert "posterior_encoder" in card and "of six texts" in card and f"{report['after']['nll']:.3f}" in card
    assert report["after"].keys() == report["before"].keys() and [line["step"] for line in report["history"]] == [2]


@pytest.mark.thorough
def test_a_second_call_trains_nothing_whatever_the_voice_and_the_output_are_called(
    make_base, small_completion, tmp_path, no_training
):
    settings = small_completion()
    first = complete(make_base(), tmp_path / "first", BASE_TEXTS, settings)
    no_training()
    second = complete(make_base("same"), tmp_path / "second", BASE_TEXTS, small_completion(cpu_threads=2))
    assert files(first)["model.safetensors"] == files(second)["model.safetensors"]
    assert "# second" in (second / "README.md").read_text()


@pytest.mark.thorough
def test_other_texts_settings_and_weights_are_trained(make_base, small_completion, tmp_path, stop_at):
    complete(make_base(), tmp_path / "first", BASE_TEXTS, small_completion())
    changes = [
        (make_base("base"), BASE_TEXTS[1:], small_completion()),
        (make_base("base"), BASE_TEXTS, small_completion(batch_size=1)),
        (make_base("mel", posterior_input="mel"), BASE_TEXTS, small_completion()),
    ]
    for base, texts, settings in changes:
        stop_at(1, die)
        with pytest.raises(RuntimeError, match="killed"):
            complete(base, tmp_path / "other", texts, settings)
        assert not (tmp_path / "other").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("stop", [interrupt, die])
def test_a_stopped_run_leaves_no_voice_and_continues_to_the_same_result(
    make_base, small_completion, tmp_path, stop_at, stop, monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    whole = complete(make_base(), tmp_path / "whole", BASE_TEXTS, small_completion())
    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(completed_base, "SECONDS_BETWEEN_CHECKPOINTS", 1e9 if stop is interrupt else -1)
    stop_at(2, stop)
    error, says = (KeyboardInterrupt, "the same command continues") if stop is interrupt else (RuntimeError, "killed")
    with pytest.raises(error, match=says):
        complete(make_base(), tmp_path / "out", BASE_TEXTS, small_completion())
    assert not (tmp_path / "out").exists() and not list((tmp_path / "other").glob("**/config.json"))
    out = complete(make_base(), tmp_path / "out", BASE_TEXTS, small_completion())
    assert f"Continuing at step {2 if stop is interrupt else 1} of 3" in caplog.text
    assert files(whole)["model.safetensors"] == files(out)["model.safetensors"]
    assert read_report(whole)["history"] == read_report(out)["history"]
    assert read_report(whole)["before"] == read_report(out)["before"]
    assert not list((tmp_path / "other").glob("**/*.pt"))


def test_a_damaged_state_and_a_damaged_result_are_made_again(make_base, small_completion, tmp_path, stop_at, caplog):
    base, settings = make_base(), small_completion()
    stop_at(1, interrupt)
    with pytest.raises(KeyboardInterrupt):
        complete(base, tmp_path / "first", BASE_TEXTS, settings)
    (state,) = (tmp_path / "cache").glob("**/*.pt")
    state.write_bytes(state.read_bytes()[:1000])
    first = complete(base, tmp_path / "first", BASE_TEXTS, settings)
    assert "is damaged, so completing starts again" in caplog.text
    (weights,) = (tmp_path / "cache").glob("**/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-8] + b"12345678")
    second = complete(base, tmp_path / "second", BASE_TEXTS, settings)
    assert files(first)["model.safetensors"] == files(second)["model.safetensors"]


def test_another_process_with_the_same_work_is_waited_for(make_base, small_completion, tmp_path, monkeypatch, caplog):
    complete(make_base(), tmp_path / "first", BASE_TEXTS, small_completion())
    (folder,) = (tmp_path / "cache" / "completed").glob(".*.unfinished")
    with run_lock(folder):
        waits = []

        def wait(seconds):
            waits.append(seconds)
            if len(waits) == 3:
                raise TimeoutError

        monkeypatch.setattr(completed_base, "time", SimpleNamespace(sleep=wait))
        with pytest.raises(TimeoutError):
            complete(make_base(), tmp_path / "second", BASE_TEXTS, small_completion())
    assert caplog.text.count("Waiting for another process") == 1
    assert complete(make_base(), tmp_path / "second", BASE_TEXTS, small_completion()).is_dir()


def test_a_voice_of_another_project_is_converted_and_keeps_its_discriminator(
    make_base, small_completion, tmp_path, monkeypatch
):
    base = make_base()
    file = tmp_path / "voice.onnx"
    file.write_bytes(b"onnx")
    found = VitsModel.from_pretrained(base)
    converted = Converted(found.config, found.state_dict(), VitsTokenizer.from_pretrained(base))
    monkeypatch.setattr(completed_base, "convert", lambda path: {file: converted}[path])
    out = complete(file, tmp_path / "out", BASE_TEXTS, small_completion())
    assert read_report(out)["base"] == "voice" and torch.equal(speech(out), speech(base))

    monkeypatch.setattr(completed_base, "convert", lambda path: pytest.fail("a folder of ours is converted"))
    VitsDiscriminator(VitsDiscriminatorConfig(**SMALL_DISCRIMINATOR)).save_pretrained(base / "discriminator")
    again = complete(base, tmp_path / "again", BASE_TEXTS, small_completion())
    assert load_discriminator(str(again)) and not load_discriminator(str(out))


def test_without_texts_it_speaks_sentences_of_its_language(make_base, small_completion, tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(completed_base, "plain_sentences", lambda language: taken.append(language) or BASE_TEXTS)
    out = complete(make_base(), tmp_path / "out", settings=small_completion())
    assert taken == ["en-us"] and "the built-in sentences of the language en-us" in read_report(out)["texts"]


def test_mistakes_are_said_before_the_first_step(make_base, make_model, small_completion, tmp_path, no_training):
    no_training()
    whole, several = make_base("whole", inference_only=False), {"num_languages": 2, "language_embedding_size": 4}
    with pytest.raises(ValueError, match="whole lacks no module that training needs"):
        complete(whole, tmp_path / "out", BASE_TEXTS)
    with pytest.raises(ValueError, match="has 2 languages"):
        complete(make_base("languages", **several), tmp_path / "out", BASE_TEXTS)
    with pytest.raises(ValueError, match="none of the texts"):
        complete(make_base("base"), tmp_path / "out", ["xyz"])
    with pytest.raises(FileExistsError):
        complete(make_base("base"), whole, BASE_TEXTS)
    with pytest.raises(ValueError, match="give another folder"):
        complete(make_base("base"), tmp_path / "base", BASE_TEXTS, overwrite=True)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_base(str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is empty"):
        load_base(str(tmp_path / "empty"))


def test_training_takes_any_completed_copy_of_its_base(make_base, small_completion, tmp_path, no_training, caplog):
    caplog.set_level(logging.INFO)
    base, data = str(make_base()), datasets.Dataset.from_dict({"said": BASE_TEXTS})
    first = complete_for_training(base, data, "said", "mine", small_completion())
    assert read_report(next((tmp_path / "cache" / "completed").glob("[!.]*")))["texts"] == "`mine`"
    assert "about 0 minutes are left" in caplog.text
    no_training()
    other = datasets.Dataset.from_dict({"said": ["a hope"]})
    second = complete_for_training(base, other, "said", "yours", small_completion())
    weights = second.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in first.state_dict().items())


def test_a_base_that_learns_another_language_speaks_its_own(make_base, small_completion, tmp_path, monkeypatch):
    data = datasets.Dataset.from_dict({"text": ["привет"]})
    monkeypatch.setattr(completed_base, "plain_sentences", lambda language: BASE_TEXTS)
    complete_for_training(str(make_base()), data, "text", "", small_completion(), other_language=True)
    assert next((tmp_path / "cache" / "completed").glob(f"*/{REPORT}")).read_text().count("built-in sentences") == 1


def test_the_report_is_json_that_others_can_read(make_base, small_completion, tmp_path):
    out = complete(make_base(), tmp_path / "out", BASE_TEXTS, small_completion())
    assert json.loads((out / REPORT).read_text())["settings"]["max_steps"] == 3
    assert Texts(BASE_TEXTS, "name").name == "name"
