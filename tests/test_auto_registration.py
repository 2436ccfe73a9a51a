"""What waits for an import is called once, when the module is complete; "vits" stays upstream's."""

import importlib
import sys
import threading
from types import ModuleType

import pytest
import transformers

from hf_vits import auto_registration
from hf_vits.configuration_vits import HfVitsConfig
from hf_vits.modeling_vits import HfVitsModel
from hf_vits.tokenization_vits import HfVitsTokenizer


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder of modules, written as their sources; "ours" takes the place of this package."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(auto_registration, "OURS", "ours.")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "__init__.py").touch()

    def write(**sources):
        for name, source in sources.items():
            path = tmp_path / "ours" / f"{name[5:]}.py" if name.startswith("ours_") else tmp_path / f"{name}.py"
            path.write_text(source)
        importlib.invalidate_caches()

    yield write
    for name in [name for name in sys.modules if name == "ours" or name.startswith(("ours.", "theirs"))]:
        del sys.modules[name]


@pytest.fixture
def wait_for(package, monkeypatch):
    """Waits for modules -> what was called: the name of each, with the names that the module had then."""

    def wait(*names):
        called = []

        def call(name):
            called.append((name, {key for key in vars(sys.modules[name]) if not key.startswith("_")}))

        waiting = {name: lambda name=name: call(name) for name in names}
        monkeypatch.setattr(sys, "meta_path", [auto_registration._AfterImport(waiting), *sys.meta_path])
        return called

    return wait


def test_a_module_is_complete_when_it_is_registered_with_and_a_second_import_registers_nothing(package, wait_for):
    package(theirs="first = 1\nlast = 2\n", theirs_too="")
    called = wait_for("theirs")
    importlib.import_module("theirs_too")
    assert called == []
    module = importlib.import_module("theirs")
    assert called == [("theirs", {"first", "last"})]
    importlib.reload(module)
    assert len(called) == 1


def test_nothing_is_registered_before_the_outermost_module_of_ours_is_complete(package, monkeypatch):
    package(
        ours_model="from ours import base\nModel = 1\n",
        ours_base="import theirs\nfrom ours import layers\n",
        ours_layers="",
        theirs="",
    )
    calls = []

    def call(name):
        calls.append((name, hasattr(sys.modules["ours.model"], "Model")))

    waiting = {name: lambda name=name: call(name) for name in ("theirs", "ours.layers")}
    monkeypatch.setattr(sys, "meta_path", [auto_registration._AfterImport(waiting), *sys.meta_path])
    importlib.import_module("ours.model")
    assert calls == [("theirs", True), ("ours.layers", True)]


def test_a_module_that_fails_is_registered_with_when_it_is_imported_again(package, wait_for):
    package(ours_broken="import theirs\nraise RuntimeError('broken')\n", theirs="raise RuntimeError('broken')\n")
    called = wait_for("theirs", "theirs_missing")
    with pytest.raises(RuntimeError, match="broken"):
        importlib.import_module("ours.broken")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("theirs_missing")
    assert called == []
    package(theirs="whole = 1\n")
    importlib.import_module("theirs")
    assert called == [("theirs", {"whole"})]


def test_another_thread_registers_while_a_module_of_ours_is_being_imported(package, wait_for, monkeypatch):
    begun, done = threading.Event(), threading.Event()
    monkeypatch.setattr(sys, "events_of_a_test", (begun, done), raising=False)
    package(ours_slow="import sys\nbegun, done = sys.events_of_a_test\nbegun.set()\nassert done.wait(10)\n", theirs="")
    called = wait_for("theirs")
    thread = threading.Thread(target=importlib.import_module, args=("ours.slow",))
    thread.start()
    try:
        assert begun.wait(10)
        importlib.import_module("theirs")
        assert [name for name, _ in called] == ["theirs"] and thread.is_alive()
    finally:
        done.set()
        thread.join()


def test_the_classes_of_both_types_are_those_of_their_own_packages(make_config, make_tokenizer, tmp_path):
    fields = {"hidden_size": 16, "vocab_size": 20}
    assert type(transformers.AutoConfig.for_model("hf_vits", **fields)) is HfVitsConfig
    assert type(transformers.AutoConfig.for_model("vits", **fields)) is transformers.VitsConfig
    config = HfVitsConfig(**{**make_config().to_dict(), "model_type": "hf_vits"})
    for auto in (transformers.AutoModel, transformers.AutoModelForTextToWaveform):
        assert type(auto.from_config(config)) is HfVitsModel
        assert auto._model_mapping[transformers.VitsConfig] is transformers.VitsModel
    config.save_pretrained(tmp_path)
    make_tokenizer(blank_token=" ").save_pretrained(tmp_path)
    assert type(transformers.AutoTokenizer.from_pretrained(tmp_path)) is HfVitsTokenizer


@pytest.fixture
def no_hook(monkeypatch):
    """The hooks of the imports of this process are not there, as before the first import of this package."""
    others = [finder for finder in sys.meta_path if not isinstance(finder, auto_registration._AfterImport)]
    monkeypatch.setattr(sys, "meta_path", others)
    return others


def test_with_every_auto_module_imported_all_is_registered_at_once_and_no_hook_stays(no_hook, monkeypatch):
    for name in ("configuration_auto", "tokenization_auto", "modeling_auto"):
        module = importlib.import_module(f"transformers.models.auto.{name}")
        if name == "configuration_auto":
            monkeypatch.setattr(module.CONFIG_MAPPING, "_extra_content", {})
    before = list(no_hook)
    auto_registration.register()
    assert sys.meta_path == before
    assert type(transformers.AutoConfig.for_model("hf_vits")) is HfVitsConfig


def test_the_hook_waits_for_what_is_not_imported_and_is_added_once(no_hook, monkeypatch):
    monkeypatch.delitem(sys.modules, auto_registration.AUTO_MODELS)
    before = list(no_hook)
    auto_registration.register()
    auto_registration.register()
    assert sys.meta_path[1:] == before and sys.meta_path[0].waiting.keys() == {auto_registration.AUTO_MODELS}


def test_models_are_not_imported_before_the_layer_that_they_need_is_defined(no_hook, monkeypatch):
    monkeypatch.setitem(sys.modules, auto_registration.LAYERS, ModuleType(auto_registration.LAYERS))
    monkeypatch.delitem(sys.modules, auto_registration.OUR_MODELS)
    imported = []
    monkeypatch.setattr(auto_registration.importlib, "import_module", imported.append)
    auto_registration.register()
    assert imported == []
