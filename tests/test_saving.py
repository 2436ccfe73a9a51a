"""A voice that cannot be written is one error that names the folder and the cause; what was there stays as it was."""

import resource
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors.torch import load_file

from hf_vits import VitsConfig, VitsModel, VitsTokenizer
from hf_vits.cli import main
from hf_vits.conversion import convert, default_voice
from hf_vits.export import export

sys.path.insert(0, str(Path(__file__).parent / "conversion"))


@contextmanager
def files_of_at_most(size):
    """Stands for a full disk: each library meets the operating system's own refusal in the midst of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def model(make_model):
    layers = {"prior_encoder_num_flows": 4, "prior_encoder_num_wavenet_layers": 4, "duration_predictor_num_flows": 4}
    return make_model(**layers, posterior_encoder_num_wavenet_layers=16)  # as the original's code builds every voice


@pytest.fixture
def tokenizer(make_tokenizer):
    return make_tokenizer()


@pytest.fixture
def original(tmp_path):
    from original_files import tiny_model, write_original

    return write_original(tmp_path / "original", tiny_model())


def savers(model, tokenizer, original):
    return {
        "model": lambda out: model.save_pretrained(out),
        "tokenizer": lambda out: tokenizer.save_pretrained(out),
        "convert": lambda out: convert(original).save(out, overwrite=True),
        "original": lambda out: export(model, tokenizer, out, target="original", overwrite=True),
        "transformers": lambda out: export(model, tokenizer, out, target="transformers", overwrite=True),
    }


@pytest.mark.thorough
@pytest.mark.parametrize(
    "what", ["model", "tokenizer", "convert", "original", pytest.param("transformers", marks=pytest.mark.slow)]
)
def test_a_full_disk_is_an_error_that_leaves_the_earlier_files(what, model, tokenizer, original, tmp_path):
    save, out = savers(model, tokenizer, original)[what], tmp_path / "out"
    save(out)
    before, beside = content(out), sorted(tmp_path.iterdir())
    with files_of_at_most(100 if what == "tokenizer" else 4096), pytest.raises(OSError, match=str(tmp_path)) as caught:
        save(out)
    message = str(caught.value)
    assert type(caught.value) is OSError and ("larger than its disk" in message or "No space is left" in message)
    assert content(out) == before and sorted(tmp_path.iterdir()) == beside


@pytest.mark.parametrize("what", ["model", "tokenizer", "convert", "original", "config"])
def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(
    what, model, tokenizer, original, tmp_path, monkeypatch
):
    save = {**savers(model, tokenizer, original), "config": lambda out: model.config.save_pretrained(out)}[what]
    (tmp_path / "file").write_text("keep")
    with pytest.raises(FileExistsError, match="file is a file"):
        save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "keep"
    (tmp_path / "locked").mkdir()
    if what != "config":
        monkeypatch.setattr("hf_vits.utils.atomic_file.os.access", lambda path, mode: "locked" not in str(path))
        with pytest.raises(PermissionError, match="locked is not writable"):
            save(tmp_path / "locked")
        assert not list((tmp_path / "locked").iterdir())


@pytest.mark.parametrize("verb", ["convert", "export"])
def test_the_command_line_prints_one_sentence(verb, model, tokenizer, original, tmp_path, capfd):
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "voice")
    words = ["convert", original] if verb == "convert" else ["export", "--target", "original", tmp_path / "voice"]
    with files_of_at_most(4096):
        assert main([*map(str, words), str(tmp_path / "out")]) == 1
    message = capfd.readouterr().err
    assert message.startswith(f"hf-vits {verb}: ") and str(tmp_path) in message and "Traceback" not in message
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_default_voices_cache_names_its_folder(model, original, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path / "cache"))
    with files_of_at_most(4096), pytest.raises(OSError, match=str(tmp_path / "cache")):
        default_voice._replace(tmp_path / "cache" / "voice", convert(original))
    assert not any((tmp_path / "cache").iterdir())


def test_saving_over_a_sharded_model_removes_its_shards(model, tmp_path):
    (tmp_path / "notes.txt").write_text("keep")
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    model.save_pretrained(tmp_path)
    assert not list(tmp_path.glob("model-*.safetensors")) and (tmp_path / "notes.txt").read_text() == "keep"
    assert load_file(tmp_path / "model.safetensors").keys() == model.state_dict().keys()
    VitsModel.from_pretrained(tmp_path), VitsConfig.from_pretrained(tmp_path)


def test_saving_a_tokenizer_returns_its_files(tokenizer, tmp_path):
    written = tokenizer.save_pretrained(tmp_path / "out")
    assert written and all(Path(file).is_file() and Path(file).parent == tmp_path / "out" for file in written)
    VitsTokenizer.from_pretrained(tmp_path / "out")
