"""Every example runs as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

pytest.importorskip("onnx")
pytest.importorskip("phonemizer")
ROOT = Path(__file__).parents[1]
MAKES = {"speak.py": ["hello.wav", "text-0.wav", "text-1.wav"], "stream.py": ["streamed.wav"], "token_times.py": []}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def run(arguments, folder, cache):
    environment = {**os.environ, "HF_VITS_CACHE": str(cache)}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_example_is_run_here():
    elsewhere = {"train.py", "synthesize_dataset.py"}  # in tests/cli
    assert {file.name for file in (ROOT / "examples").glob("*.py")} == {*MAKES, *elsewhere}


@pytest.mark.parametrize("name", MAKES)
def test_an_example_runs_and_makes_what_it_says(name, tmp_path, cache):
    run([ROOT / "examples" / name], tmp_path, cache)
    assert sorted(file.name for file in tmp_path.iterdir()) == MAKES[name]
    for file in tmp_path.iterdir():
        samples, rate = soundfile.read(file)
        assert rate == 22_050 and 0.5 < len(samples) / rate < 10 and abs(samples).max() > 0.05


def test_words_are_said_in_order_and_within_the_speech(tmp_path, cache):
    said = run([ROOT / "examples" / "token_times.py", "Dr. Smith paid 42 dollars."], tmp_path, cache).splitlines()
    times = [float(line.split()[0]) for line in said]
    words = [line.split(" s  ")[1] for line in said]
    assert [word for word in words if word != "."] == ["Dr", "Smith", "paid", "42", "dollars"]
    assert times == sorted(times) and times[-1] < 5
