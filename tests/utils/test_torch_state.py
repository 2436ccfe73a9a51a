import ast
from pathlib import Path

import hf_vits

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


def test_private_names_of_pytorch_are_in_three_files_that_give_the_reason():
    found = {}
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if names := {name for name in private_names(tree) if name.startswith("_") and not name.startswith("__")}:
            found[file.relative_to(SOURCE).as_posix()] = names
            assert [name for name in names if name not in ast.get_docstring(tree)] == [], file
    assert set(found) <= set(FILES), found
