"""Every example runs as it stands."""

import runpy
import sys
from pathlib import Path

import pytest
import soundfile

pytest.importorskip("onnx")
pytest.importorskip("phonemizer")
ROOT = Path(__file__).parents[1]
MAKES = {
    "speak_ssml.py": ["document.wav"],
    "speak.py": ["hello.wav", "text-0.wav", "text-1.wav"],
    "stream.py": ["streamed.wav"],
    "token_times.py": [],
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache, tmp_path, monkeypatch, capsys):
    """Runs an example as a script, in this process and an empty folder -> what it prints."""
    monkeypatch.setenv("HF_VITS_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)

    def go(name, *arguments):
        file = str(ROOT / "examples" / name)
        monkeypatch.setattr(sys, "argv", [file, *arguments])
        runpy.run_path(file, run_name="__main__")
        return capsys.readouterr().out

    return go


def test_every_example_is_run_here():
    elsewhere = {"train.py", "synthesize_dataset.py"}  # in tests/cli
    elsewhere |= {"align.py"}  # in tests/alignment
    elsewhere |= {"openai_client.py", "wyoming_client.py"}  # in tests/serving
    assert {file.name for file in (ROOT / "examples").glob("*.py")} == {*MAKES, *elsewhere}


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("name", MAKES)
def test_an_example_runs_and_makes_what_it_says(run, name, tmp_path):
    run(name)
    assert sorted(file.name for file in tmp_path.iterdir()) == MAKES[name]
    for file in tmp_path.iterdir():
        samples, rate = soundfile.read(file)
        assert rate == 22_050 and 0.5 < len(samples) / rate < 10 and abs(samples).max() > 0.05


def test_words_are_said_in_order_and_within_the_speech(run):
    said = run("token_times.py", "Dr. Smith paid 42 dollars.").splitlines()
    times = [float(line.split()[0]) for line in said]
    words = [line.split(" s  ")[1] for line in said]
    assert [word for word in words if word != "."] == ["Dr", "Smith", "paid", "42", "dollars"]
    assert times == sorted(times) and times[-1] < 5
