"""Importing the package is fast, and registers it with the Auto classes in any order of imports."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hf_vits.cli import VERBS


def alone(code):
    """Run code in a new process; return the words that it prints."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.split()


FORKING = """
import json, os, sys, traceback
import huggingface_hub, numpy, safetensors.torch, tokenizers, torch
assert not {"transformers", "hf_vits"} & set(sys.modules)
for line in sys.stdin:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(writing, 1), os.dup2(writing, 2)
        exec(json.loads(line), {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        printed = file.read()
    print(json.dumps([os.wait()[1], printed]), flush=True)
"""


@pytest.fixture(scope="module")
def run():
    """Runs code in a process forked from one that has imported what transformers and this package build on, but neither
    of them -> the words that it prints."""
    command = [sys.executable, "-c", FORKING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def go(code):
            print(json.dumps(code), file=process.stdin, flush=True)
            status, printed = json.loads(process.stdout.readline())
            assert status == 0, printed[-3000:]
            return printed.split()

        yield go
        process.stdin.close()


HEAVY = ("torch", "transformers.modeling_utils", "transformers.models", "librosa", "soundfile", "onnx", "phonemizer")


def test_importing_the_package_imports_nothing_heavy():
    loaded = alone("import sys, hf_vits; print(*sys.modules)")
    assert "hf_vits" in loaded
    assert not set(HEAVY) & set(loaded)


OPTIONAL = {"onnx", "onnxruntime", "phonemizer", "uroman", "unidecode", "librosa", "datasets", "espeakng_loader"}


@pytest.mark.thorough
def test_no_public_name_and_no_help_of_a_verb_imports_an_optional_package():
    """One process, in which `accelerate` is not installed, imports all of them in turn."""
    names = ["VitsModel", "VitsTokenizer", "TextToSpeechPipeline", "default_voice", "convert"]
    code = "import sys, importlib\nsys.modules.update(accelerate=None, psutil=None)  # transformers imports both\n"
    code += "from hf_vits.cli import VERBS\nfrom hf_vits.cli.parser import Parser\nloaded = {}\n"
    code += f"for name in {names!r}:\n    exec(f'from hf_vits import {{name}}')\n    loaded[name] = {{*sys.modules}}\n"
    code += "import hf_vits.conversion.formats.piper_onnx, hf_vits.text.sentence_splitter\n"
    code += "loaded['modules'] = {*sys.modules}\n"
    code += "for verb, module in VERBS.items():\n"
    code += "    importlib.import_module(module).add_arguments(Parser())\n"
    code += "    loaded['hf-vits-' + verb] = {*sys.modules}\n"
    code += f"for name in loaded: print(name, *(loaded[name] & {OPTIONAL!r}), sep=',')\n"
    assert alone(code) == [*names, "modules", *(f"hf-vits-{verb}" for verb in VERBS)]


def test_every_public_name_exists_and_an_unknown_one_is_an_error_that_lists_them():
    import hf_vits

    assert set(hf_vits.__all__) <= set(dir(hf_vits))
    for name in hf_vits.__all__:
        assert getattr(hf_vits, name).__name__ == name
    with pytest.raises(AttributeError, match=r"Vocoder.*VitsModel"):
        hf_vits.Vocoder  # noqa: B018


ORDERS = {
    "before": "import hf_vits\nfrom transformers import AutoConfig, AutoModel, AutoTokenizer\n",
    "after": "from transformers import AutoConfig, AutoModel, AutoTokenizer\nimport hf_vits\n",
    "between": "from transformers import AutoConfig\nimport hf_vits\n"
    "from transformers import AutoModel, AutoTokenizer\n",
    "model first": "from hf_vits import VitsModel\nfrom transformers import AutoConfig, AutoModel, AutoTokenizer\n",
    "modeling_utils first": "from transformers import PreTrainedModel\nimport hf_vits\n"
    "from transformers import AutoModel, AutoConfig, AutoTokenizer\n",
}


RARE = ("between", "model first", "modeling_utils first")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "order", [pytest.param(code, id=name, marks=[pytest.mark.slow] * (name in RARE)) for name, code in ORDERS.items()]
)
def test_auto_classes_load_extended_checkpoints_as_ours_and_plain_ones_as_upstreams(
    run, order, make_model, make_tokenizer, tmp_path
):
    for name, fields in (("plain", {}), ("extended", {"resblock_type": "2"})):
        make_model(**fields).save_pretrained(tmp_path / name)
        make_tokenizer(blank_token=" " if fields else None).save_pretrained(tmp_path / name)
    code = order + (
        f"for name in ({str(tmp_path / 'plain')!r}, {str(tmp_path / 'extended')!r}):\n"
        "    for auto in (AutoConfig, AutoModel, AutoTokenizer):\n"
        "        kind = type(auto.from_pretrained(name)); print(kind.__module__.split('.')[0] + '.' + kind.__name__)\n"
    )
    upstream = [f"transformers.Vits{part}" for part in ("Config", "Model", "Tokenizer")]
    ours = [f"hf_vits.HfVits{part}" for part in ("Config", "Model", "Tokenizer")]
    assert run(code) == upstream + ours


@pytest.mark.thorough
def test_an_instance_of_our_configuration_selects_our_model(run, make_config, tmp_path):
    make_config().save_pretrained(tmp_path)
    code = (
        "from hf_vits import VitsConfig\nfrom transformers import AutoModel\n"
        f"config = VitsConfig.from_pretrained({str(tmp_path)!r}, resblock_type='2')\n"
        "print(type(AutoModel.from_config(config)).__module__)\n"
    )
    assert run(code) == ["hf_vits.modeling_vits"]


@pytest.mark.thorough
def test_finding_an_auto_module_without_importing_it_still_registers_later(run, make_model, tmp_path):
    make_model(resblock_type="2").save_pretrained(tmp_path)
    code = (
        "import importlib, importlib.util, sys, hf_vits\n"
        "importlib.util.find_spec('transformers.models.auto.modeling_auto')\nimportlib.reload(hf_vits)\n"
        "assert [type(f).__name__ for f in sys.meta_path].count('_AfterImport') == 1\n"
        "from transformers import AutoModel\n"
        f"print(type(AutoModel.from_pretrained({str(tmp_path)!r})).__name__)\n"
    )
    assert run(code) == ["HfVitsModel"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "first",
    [
        pytest.param("from transformers import BertModel", marks=pytest.mark.slow),
        "hf_vits.VitsConfig()",
        "import hf_vits.modules.flow",
        pytest.param("import hf_vits.inference.streaming", marks=pytest.mark.slow),
    ],
)
def test_our_modules_and_those_of_transformers_can_be_imported_in_any_order(run, first):
    code = f"import hf_vits\n{first}\nfrom transformers import AutoModel, BertModel\nfrom hf_vits import VitsModel\n"
    code += "assert hf_vits.VitsConfig in AutoModel._model_mapping"
    run(code)


def test_tests_of_other_packages_are_collected_without_kernels():
    """One import at the top of a file would stop the whole run of a package without the folder."""
    pattern = re.compile(r"^(from hf_vits import .*\bkernels\b|(from|import) hf_vits\.kernels)", re.MULTILINE)
    tests = Path(__file__).parent
    files = [file for file in tests.rglob("*.py") if "kernels" not in file.relative_to(tests).parts]
    assert [file for file in files if pattern.search(file.read_text(encoding="utf-8"))] == []
