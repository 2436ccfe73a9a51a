"""Private names of PyTorch are in few files, and a function runs in its plain form wherever a kernel may not."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import hf_vits
from hf_vits.utils import torch_state

SOURCE = Path(hf_vits.__file__).parent
FILES = ("export/onnx_graph.py", "kernels/products.py", "utils/torch_state.py")


def private_names(tree):
    """Yield the names with an underscore that a file imports from PyTorch, or asks something imported from it for."""
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if (getattr(node, "module", None) or alias.name).split(".")[0] == "torch":
                    imported.add(alias.asname or alias.name.split(".")[0])
                    yield alias.name
        if isinstance(node, ast.Attribute):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in imported:
                yield node.attr


@pytest.mark.thorough
def test_private_names_of_pytorch_are_in_three_files_that_give_the_reason():
    found = {}
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if names := {name for name in private_names(tree) if name.startswith("_") and not name.startswith("__")}:
            found[file.relative_to(SOURCE).as_posix()] = names
            assert [name for name in names if name not in ast.get_docstring(tree)] == [], file
    assert set(found) <= set(FILES), found


@pytest.fixture
def kernels(monkeypatch):
    """Kernels that double what the plain function returns."""
    package = SimpleNamespace(enabled=True)
    module = SimpleNamespace(double=lambda plain, value: 2 * plain(value))
    names = {"hf_vits.kernels": package, "hf_vits.kernels.toy": module}
    monkeypatch.setattr(torch_state, "HAS_KERNELS", True)
    monkeypatch.setattr(torch_state, "find", lambda name: names.get(name) or sys.modules[name])
    return package


@pytest.mark.parametrize("gradients", [None, True, False])
def test_a_kernel_gets_the_plain_function_and_is_left_out_where_it_is_useless(kernels, gradients):
    run = torch_state.has_kernel("toy", "double", gradients)(lambda value: value + 1)
    assert run(1) == (2 if gradients is False else 4)
    with torch.no_grad():
        assert run(1) == (2 if gradients else 4)
        kernels.enabled = False
        assert run(1) == 2
    assert run(1) == 2
