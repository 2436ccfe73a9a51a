"""The dependencies of the package: all are declared, and those under the GPL are named as such."""

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "phonemizer": "phonemizer-fork",
    "espeakng_loader": "espeakng-loader",
    "google": "protobuf",
    "faster_whisper": "faster-whisper",
    "unicode_rbnf": "unicode-rbnf",
    "whisper_normalizer": "whisper-normalizer",
    "markdown_it": "markdown-it-py",
    "yaml": "pyyaml",
}
"""What pip calls packages that are imported by another name."""

OF_THE_USER = {"aim", "distillmos"}
"""Imported only if installed: a tracker of `report_to`, and a rater that is installed without its dependencies."""


def imported():
    """The packages that the source imports anywhere, by the name that pip has for them."""
    names = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    names -= {*sys.stdlib_module_names, "hf_vits", *OF_THE_USER}
    return {PACKAGES.get(name, name).lower() for name in names}


def declared():
    """The packages that setup.py names, in whichever group."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {re.match(r"[\w-]*", word)[0].lower() for word in words}


@pytest.mark.thorough
def test_every_package_that_is_imported_is_declared():
    assert imported() - declared() == set()
    assert {"torch", "psutil", "tqdm"} <= imported()


def test_all_files_of_the_package_that_are_no_modules_go_into_the_wheel():
    """Setuptools takes those that `package_data` names; building a wheel here would take half a minute."""
    (patterns,) = re.findall(r'package_data={"hf_vits": (\[.*\])}', (ROOT / "setup.py").read_text(encoding="utf-8"))
    package = ROOT / "src" / "hf_vits"
    taken = {file for pattern in ast.literal_eval(patterns) for file in package.glob(pattern)}
    there = {file for file in package.rglob("*.*") if file.suffix != ".py" and "__pycache__" not in file.parts}
    assert there == taken and package / "presets" / "finetune-cpu.json" in taken


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("target", "packages"),
    [("speak", ["phonemizer", "espeak-ng", "Unidecode"]), ("test", ["phonemizer"]), ("bench", ["piper-tts"])],
)
def test_make_names_software_under_the_gpl_before_it_installs_any(tmp_path, target, packages):
    command = ["make", "-n", "-C", ROOT, target, f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    group = {"speak": ".[demo]", "test": ".[dev]", "bench": ".[dev,bench]"}[target]
    installs = next(number for number, line in enumerate(lines) if group in line)
    for package in packages:
        assert any("echo" in line and "GPL" in line and package in line for line in lines[:installs]), package


def test_packages_under_the_gpl_are_named_as_such_where_they_are_declared():
    text = (ROOT / "setup.py").read_text(encoding="utf-8")
    said = " ".join(re.findall(r"GPL-3:[^\n]*", text))
    for package in declared():
        try:
            about = metadata(package) if package else {}
        except PackageNotFoundError:
            continue
        license_name = f"{about.get('License') or ''} {about.get('License-Expression') or ''}".split("\n")[0]
        if re.search(r"(?<!L)GPL", license_name):
            assert package.split("-")[0] in said.lower(), package
