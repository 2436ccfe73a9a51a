"""Runs transformers' own tests of VITS on this package, and on transformers itself, from its source archive.

python tests/upstream/run_transformers_tests.py transformers-5.23.0.tar.gz

The archive is that of a tag (GitHub: "Source code (tar.gz)"); a folder with the same files will do. It must be of the
installed version and hold `tests/models/vits`, which the archive on PyPI does not. Everything is unpacked into a
temporary folder, where imports of the three classes are replaced; nothing of it stays. Needs `pip install
parameterized`. Exits with 1 if other tests fail than `docs/transformers_tests.md` names.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

DOCUMENTED = Path(__file__).parents[2] / "docs" / "transformers_tests.md"
CLASSES = ("VitsConfig", "VitsModel", "VitsTokenizer")
VITS = Path("tests") / "models" / "vits"
MODULES = ("test_modeling_vits.py", "test_tokenization_vits.py")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="archive or folder of transformers' source")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = unpacked(options.source, Path(scratch))
        theirs = failures(root)
        for module in MODULES:
            file = root / VITS / module
            file.write_text(replaced(file.read_text(encoding="utf-8")), encoding="utf-8")
        ours = failures(root)
    new = {name: error for name, error in ours.items() if name not in theirs}
    documented = set(re.findall(r"`(test_\w+)`", DOCUMENTED.read_text(encoding="utf-8")))
    for name, error in sorted(new.items()):
        print(f"{'documented' if name in documented else 'NEW'}: {name}: {error}")
    undocumented = sorted(new.keys() - documented)
    print(
        f"{len(theirs)} tests fail with transformers, {len(new)} more with hf_vits, {len(undocumented)} undocumented."
    )
    return 1 if undocumented else 0


def unpacked(source: Path, scratch: Path) -> Path:
    """The folder that holds `tests` and `src`; `SystemExit` that says what is missing."""
    root = scratch / "transformers"
    if source.is_dir():
        shutil.copytree(source, root, ignore=shutil.ignore_patterns(".git"))
    else:
        with tarfile.open(source) as archive:
            archive.extractall(scratch / "archive", filter="data")
        next((scratch / "archive").iterdir()).rename(root)
    if not all((root / VITS / module).is_file() for module in MODULES):
        sys.exit(f"{source} has no {VITS}; give the source archive of a tag, which the one on PyPI is not.")
    return root


def replaced(source: str) -> str:
    """A test module that imports the three classes from here, each other name from where it was."""

    def split(found: re.Match) -> str:
        indent, names = found[1], [name.strip() for name in found[2].split(",") if name.strip()]
        lines = []
        for package, chosen in (
            ("transformers", [name for name in names if name not in CLASSES]),
            ("hf_vits", [name for name in names if name in CLASSES]),
        ):
            if chosen:
                lines.append(f"{indent}from {package} import {', '.join(chosen)}")
        return "\n".join(lines)

    return re.sub(r"^( *)from transformers import ([\w, ]+)$", split, source, flags=re.M)


def failures(root: Path) -> dict[str, str]:
    """Names of the tests that fail, with the last line of each error."""
    path = os.pathsep.join([str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", str(VITS)]
    environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "COLUMNS": "300"}
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        sys.exit(f"The tests did not run:\n{run.stdout[-3000:]}{run.stderr[-2000:]}")
    found = re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)(?: - (.*))?$", run.stdout, flags=re.M)
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())
