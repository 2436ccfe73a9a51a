"""Voices small enough to test with: random but lively, so that every layer leaves its mark on the waveform."""

import gc
import importlib.util
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ["HF_VITS_RUNTIME"] = "torch"  # otherwise `hf-vits speak` starts processes that make graphs

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts background jobs so, and Ctrl-C is tested
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))  # for what tests share, such as `stub_hub`


def pytest_configure(config):
    """Import what takes seconds to import in a process that runs tests: pytest-xdist's own runs none."""
    if config.getoption("dist", "no") != "no":
        return
    import torch

    from hf_vits import set_num_threads

    set_num_threads(torch.get_num_threads())  # equal calls are compared bitwise, also on a machine with other work
    for fixtures in ("training_runs", "browsers"):  # data, settings and trainers of tiny runs; a browser
        config.pluginmanager.import_plugin(fixtures)


@pytest.hookimpl(tryfirst=True)  # before pytest selects by markers
def pytest_collection_modifyitems(items):
    from thorough import leave_cases

    leave_cases(items)


def pytest_collection_finish():
    """Spare the objects of all imports from garbage collection, which takes half a second for them, and collect
    long-lived objects less often: both take a fifth of the time of all tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, 50)


@pytest.fixture(scope="session")
def make_config():
    from tiny_voices import TINY

    from hf_vits import VitsConfig

    return lambda **fields: VitsConfig(**{**TINY, **fields})


@pytest.fixture(scope="session")
def make_model(make_config):
    from tiny_voices import enliven

    from hf_vits import VitsModel

    def make(**fields):
        return enliven(VitsModel(make_config(**fields)))

    return make


@pytest.fixture
def without_gradients():
    """Grad mode is off, as for whoever speaks; on, the model takes the ways of training."""
    import torch

    with torch.no_grad():
        yield


@pytest.fixture
def speakers():
    from tiny_voices import SPEAKERS

    return dict(SPEAKERS)


@pytest.fixture
def make_upstream_model():
    """The same weights in `transformers.VitsModel`, the oracle."""
    import transformers

    def make(model):
        fields = {k: v for k, v in model.config.to_dict().items() if k not in ("model_type", "architectures")}
        stock = transformers.VitsModel(transformers.VitsConfig(**fields)).to(model.dtype).eval()
        stock.load_state_dict(model.state_dict(), strict=True)
        return stock

    return make


@pytest.fixture
def text():
    """Three texts of unequal length (3, 9), and their mask."""
    import torch

    ids = torch.randint(1, 20, (3, 9), generator=torch.Generator().manual_seed(5))
    mask = torch.arange(9) < torch.tensor([9, 4, 6])[:, None]
    return {"input_ids": ids * mask, "attention_mask": mask.long()}


@pytest.fixture(scope="session")
def make_tokenizer(tmp_path_factory):
    """A character tokenizer of 20 tokens, as an MMS voice has."""
    from hf_vits import VitsTokenizer

    file = tmp_path_factory.mktemp("tokens") / "tokens.json"
    file.write_text(json.dumps({token: i for i, token in enumerate("_abcdefghijklmnop .'")}))
    return lambda **fields: VitsTokenizer(str(file), **{"pad_token": "_", "phonemize": False, **fields})


@pytest.fixture(scope="session")
def saved_voice(make_model, make_tokenizer, tmp_path_factory):
    """Writes a tiny voice with that tokenizer into a folder; a voice of the same fields is made once, and copied."""
    made = {}

    def save(folder, **fields):
        key = json.dumps(fields, sort_keys=True)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("voice")
            make_model(**fields).save_pretrained(made[key])
            make_tokenizer().save_pretrained(made[key])
        return shutil.copytree(made[key], folder, dirs_exist_ok=True)

    return save


@pytest.fixture
def no_encoder(monkeypatch):
    """Stands in for torchcodec, which `datasets` asks for, but has no use for, where it takes sound by its path."""
    if importlib.util.find_spec("torchcodec") is None:
        monkeypatch.setitem(sys.modules, "torchcodec", SimpleNamespace())
        monkeypatch.setitem(sys.modules, "torchcodec.encoders", SimpleNamespace(AudioEncoder=None))


@pytest.fixture
def hub():
    """The address of a Hub on this machine, which is empty."""
    from stub_hub import serving

    with serving() as url:
        yield url


@pytest.fixture
def online(hub, monkeypatch, tmp_path):
    """Lets huggingface_hub, in this process, take the stub for the Hub."""
    from stub_hub import connect

    connect(hub, str(tmp_path / "cache"), monkeypatch.setattr)
    monkeypatch.setenv("HF_TOKEN", "hf_stub")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
