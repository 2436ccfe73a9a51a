"""`hf-vits demo` serves the page at the given address, or writes a Space and says how to upload it."""

import shlex
import sys
from types import SimpleNamespace

import pytest
import torch

from hf_vits.cli import main
from hf_vits.serving import demo
from hf_vits.serving.space import PACKAGE


@pytest.fixture
def launched(monkeypatch):
    """What the page is launched with: the voice, and the arguments of Gradio."""
    calls, threads = [], torch.get_num_threads()

    def make(voice):
        fields = {"voice": voice, "threads": torch.get_num_threads()}
        return SimpleNamespace(launch=lambda **given: calls.append({**fields, **given}))

    monkeypatch.setattr(demo, "import_gradio", lambda: "gradio")
    monkeypatch.setattr(demo, "appearance", lambda gradio: {"css": f"of {gradio}"})
    monkeypatch.setattr(demo, "make_demo", make)
    monkeypatch.setattr("hf_vits.utils.threads.number_is_set", False)
    yield calls
    torch.set_num_threads(threads)


@pytest.fixture
def space(monkeypatch):
    """The arguments of each folder that is written."""
    calls = []

    def write(voice, directory, package, overwrite):
        calls.append((voice, directory, package, overwrite))
        return directory

    monkeypatch.setattr("hf_vits.serving.space.write_space", write)
    return calls


def test_without_options_the_default_voice_is_for_this_machine_alone(launched):
    assert main(["demo"]) == 0
    threads = torch.get_num_threads()
    local = {"server_name": "127.0.0.1", "server_port": 7860}
    assert launched == [{"voice": "default", "threads": threads, "css": "of gradio", **local}]


def test_the_voice_is_loaded_with_the_threads_and_served_at_the_address_that_are_given(launched):
    threads = torch.get_num_threads() + 1
    assert main(["demo", "owner/voice", "--host", "0.0.0.0", "--port", "8000", "--threads", str(threads)]) == 0
    (given,) = launched
    assert (given["voice"], given["threads"]) == ("owner/voice", threads)
    assert (given["server_name"], given["server_port"]) == ("0.0.0.0", 8000)


@pytest.mark.parametrize("options", [["--overwrite"], ["--package", "hf_vits"], ["--package", ""]])
def test_options_of_a_space_are_refused_before_a_page_is_made_without_one(launched, space, capsys, options):
    assert main(["demo", "voice", *options]) == 1
    assert "name it with --space" in capsys.readouterr().err
    assert launched == space == []


def test_without_gradio_it_says_what_to_install_before_a_voice_is_loaded(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr(demo, "VoicePool", lambda _: pytest.fail("a voice is loaded"))
    assert main(["demo"]) == 1
    assert "[gradio]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ("default", "out", PACKAGE, False)),
        (["voice", "--overwrite"], ("voice", "out", PACKAGE, True)),
        (
            ["voice", "--package", "hf_vits[demo] @ git+https://host/x"],
            ("voice", "out", "hf_vits[demo] @ git+https://host/x", False),
        ),
    ],
)
def test_a_space_is_written_from_what_is_given_and_no_page_is_made(launched, space, options, expected):
    assert main(["demo", "--space", "out", *options]) == 0
    assert space == [expected] and launched == []


@pytest.mark.parametrize("folder", ["joe-space", "my space", "it's"])
def test_the_command_that_uploads_the_space_names_the_folder_as_a_shell_reads_it(space, capsys, folder):
    assert main(["demo", "--space", folder]) == 0
    command = capsys.readouterr().out.split("Upload it: ")[1]
    assert shlex.split(command) == ["hf", "upload", "OWNER/NAME", folder, "--repo-type", "space"]
