"""What a user gives as a voice means the same to every command, and what is no voice is refused before any network."""

import json
import socket
import subprocess
import sys
from itertools import product

import huggingface_hub
import pytest
import torch
from stub_hub import Hub

from hf_vits import VitsModel
from hf_vits.cli import main
from hf_vits.conversion import resolve
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.synthesis.run import load_voice
from hf_vits.training import ModelAndDataArguments, ModelInitialization, VitsTrainingArguments

NAMES = ["default", "en_US-joe-medium"]


@pytest.fixture
def voice(saved_voice, tmp_path):
    saved_voice(tmp_path / "voice")
    return tmp_path / "voice"


@pytest.fixture
def default(voice, monkeypatch):
    """A small voice in the place of the default one."""
    monkeypatch.setattr(resolve, "cached_voice", lambda known: voice)
    return voice


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with nothing in it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def online(monkeypatch, tmp_path):
    """As a user's process is: it may ask the Hub, and has nothing of it yet."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    huggingface_hub.utils.close_session()
    yield
    huggingface_hub.utils.close_session()


@pytest.fixture
def asked(monkeypatch, online):
    """Addresses that the process looks up, none of which it finds."""
    hosts = []

    def look_up(host, *arguments, **more):
        hosts.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return hosts


@pytest.mark.parametrize("name", [None, *NAMES])
def test_the_default_voice_has_two_names_and_is_taken_without_one(default, name):
    assert resolve_voice(name) == str(default)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    ("verb", "name"), [*product(["speak", "doctor"], NAMES), ("export", "default"), ("convert", "default")]
)
def test_every_command_knows_the_default_voice_by_both_names(default, here, name, verb, capsys):
    given = {
        "speak": ["speak", "a hope", "--voice", name],
        "export": ["export", name, "out", "--target", "transformers"],
        "doctor": ["doctor", name],
        "convert": ["convert", name, "out"],
    }[verb]
    assert main(given) == 0, capsys.readouterr().err
    if verb in ("export", "convert"):
        made = VitsModel.from_pretrained(here / "out").state_dict()
        original = VitsModel.from_pretrained(default).state_dict()
        assert all(torch.allclose(made[key], value, atol=1e-6) for key, value in original.items())


@pytest.mark.parametrize("name", NAMES)
def test_training_and_synthesis_know_the_default_voice_by_both_names(default, name):
    discriminators = VitsDiscriminatorConfig().scale_channels_by(0.02)
    assert ModelInitialization.from_pretrained(name, config=discriminators).model.name_or_path == str(default)
    assert load_voice(name).model.name_or_path == str(default)


@pytest.mark.parametrize(("given", "name"), [("default", "en_US-joe-medium"), ("org/anna", "anna"), ("bea/", "bea")])
def test_exported_files_are_called_by_the_name_of_the_voice(default, here, given, name):
    assert resolve.short_name(given) == name


def test_a_folder_is_found_from_home_too(voice, monkeypatch):
    monkeypatch.setenv("HOME", str(voice.parent))
    assert resolve_voice("~/voice") == resolve_voice(voice) == str(voice)
    assert main(["speak", "a hope", "--voice", "~/voice", "--output", str(voice.parent / "out.wav")]) == 0


def test_a_folder_called_like_a_known_voice_is_given_by_its_path(default, here, caplog):
    (here / "default").mkdir()
    (here / "default" / "config.json").write_text("{}")
    assert resolve_voice("default") == str(default)
    assert "the folder of that name here is ./default" in caplog.text
    assert resolve_voice("./default") == "./default"


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("defualt", "`default`"),
        ("en_us-joe-medum", "`en_US-joe-medium`"),
        ("aana", "`anna`"),
        ("ANNA", "`anna`"),
        ("voices/ben", "`voices/bea`"),
        ("./voices/ben/", "`voices/bea`"),
        ("voicse/bea", None),  # may be a name on the Hub, but its owner is nearly a folder here
        ("voicse/bea/final", "`voices/bea/final`"),
        ("voices/cem.onxn", "`voices/cem.onnx`"),
        ("nothing-like-it", ""),
        ("a/b/c", ""),
        ("../no such folder", ""),
        ("x" * 5000, ""),
        ("a\0b", ""),
    ],
)
def test_what_is_not_there_is_refused_with_near_misses_and_no_network(here, asked, name, offered):
    for folder in ("anna", "voices/bea/final"):
        (here / folder).mkdir(parents=True)
    (here / "voices" / "cem.onnx").touch()
    error = OSError if offered is None else FileNotFoundError
    with pytest.raises(error, match="There is no file or folder") as caught:
        resolve_voice(name)
    assert (offered or "") in str(caught.value) and "owner/name on the Hub" in str(caught.value)
    assert "`" in str(caught.value) or not offered
    assert offered is None or not asked


def test_a_mistyped_voice_costs_no_import_of_torch(here):
    code = "from hf_vits.cli import main; print(main(['speak', 'a', '--voice', 'joe'])); "
    code += "import sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["1", "False"]


@pytest.mark.parametrize("verb", ["export", "doctor", "convert"])
def test_every_command_names_near_misses(here, verb, capsys):
    (here / "anna").mkdir()
    arguments = {"export": ["out", "--target", "piper"], "doctor": [], "convert": ["out"]}[verb]
    assert main([verb, "aana", *arguments]) == 1
    printed = "".join(capsys.readouterr())
    assert "There is no file or folder aana; did you mean `anna`?" in printed


def test_training_refuses_mistyped_discriminators_before_it_reads_data(default, here, monkeypatch):
    monkeypatch.setattr("hf_vits.training.model_and_data_arguments.load_data", lambda *_: pytest.fail("data were read"))
    (here / "D_1000.pth").touch()
    names = {"model_name_or_path": "default", "discriminator_name_or_path": "D_100.pth"}
    with pytest.raises(FileNotFoundError, match="discriminator_name_or_path.*did you mean `D_1000.pth`"):
        ModelAndDataArguments(dataset_name="data", **names).build_trainer(VitsTrainingArguments("out", report_to=[]))


@pytest.mark.parametrize("field", ["model_name_or_path", "tokenizer_name_or_path"])
def test_training_refuses_a_mistyped_voice_before_it_reads_data(here, monkeypatch, field):
    monkeypatch.setattr("hf_vits.training.model_and_data_arguments.load_data", lambda *_: pytest.fail("data were read"))
    with pytest.raises(FileNotFoundError, match="did you mean `default`"):
        ModelAndDataArguments(dataset_name="data", **{field: "defualt"}).build_trainer(
            VitsTrainingArguments("out", report_to=[])
        )


@pytest.mark.parametrize(
    ("file", "advice"),
    [
        ("joe.onnx", "hf-vits convert joe.onnx joe-voice"),
        ("joe.onnx.json", "hf-vits convert joe.onnx joe-voice"),
        ("G_100000.pth", "hf-vits convert G_100000.pth G_100000-voice"),
        ("my joe.ckpt", "hf-vits convert 'my joe.ckpt' 'my joe-voice'"),
        ("eng.tar.gz", "unpack it first"),
        ("config.json", "one file of a voice; give the folder"),
        ("model.safetensors", "one file of a voice; give the folder"),
        ("text.txt", "the suffix of no known kind of voice"),
    ],
)
def test_a_file_is_answered_with_what_to_do_about_it(here, asked, file, advice):
    (here / file).touch()
    with pytest.raises(ValueError) as caught:
        resolve_voice(file)
    assert advice in str(caught.value)
    assert not asked


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        (["joe.onnx", "joe.onnx.json"], "hf-vits convert folder/joe.onnx folder/joe-voice"),
        (["G_1000.pth", "D_1000.pth", "config.json"], "hf-vits convert folder folder-voice"),
        (["checkpoint-9/model.safetensors", "checkpoint-10/model.safetensors"], "such as folder/checkpoint-10"),
        (["model.safetensors", "optimizer.bin"], "weights but no config.json"),
        (["notes.txt"], "it has no config.json"),
        ([], "is empty"),
    ],
)
def test_a_folder_that_is_no_voice_is_answered_with_what_to_do_about_it(here, asked, files, advice):
    (here / "folder").mkdir()
    table = {"train": {}, "data": {}, "model": {}} if "G_1000.pth" in files else {}  # that of the original
    for name in files:
        (here / "folder" / name).parent.mkdir(exist_ok=True)
        (here / "folder" / name).write_text(json.dumps(table))
    with pytest.raises(ValueError) as caught:
        resolve_voice("folder")
    assert advice in str(caught.value)
    assert not asked


def test_a_name_on_the_hub_that_cannot_be_reached_is_asked_for_once(here, asked):
    with pytest.raises(OSError, match=r"org/voice.*cannot be reached \(.*not known\)"):
        resolve_voice("org/voice")
    assert len(asked) == 1  # a second time would be after a pause


def test_without_leave_to_go_online_the_cache_is_all_there_is(here):
    with pytest.raises(OSError, match=r"Nor is org/voice in the cache of the Hub.*offline"):
        resolve_voice("org/voice")


def test_a_name_on_the_hub_that_is_in_its_cache_is_not_asked_for(here, asked, tmp_path):
    kept = tmp_path / "hub" / "models--org--voice"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("1" * 40)
    (kept / "snapshots" / ("1" * 40)).mkdir(parents=True)
    (kept / "snapshots" / ("1" * 40) / "config.json").write_text("{}")
    with pytest.raises(OSError, match="cannot be reached"):  # at once, and not when its weights are to be read
        resolve_voice("org/voice")
    asked.clear()
    (kept / "snapshots" / ("1" * 40) / "model.safetensors").touch()
    assert resolve_voice("org/voice") == "org/voice"
    with pytest.raises(OSError, match="did you mean `org/voice`"):
        resolve_voice("org/vioce")
    asked.clear()
    (here / "org").mkdir()
    assert resolve_voice("org/voice") == "org/voice" and not asked


def test_the_hub_tells_whether_it_has_such_a_voice(here, hub, online, monkeypatch):
    template = hub + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    Hub.files = {"config.json": b"{}"}
    assert resolve_voice("org/voice") == "org/voice"
    Hub.files = {"joe.onnx": b""}
    with pytest.raises(ValueError, match=r"org/voice on the Hub has no config.json.*hf-vits convert"):
        resolve_voice("org/voice")


@pytest.mark.parametrize("address", ["https://huggingface.co/org/voice", "hf://org/voice", "hf://models/org/voice"])
def test_an_address_is_answered_with_the_name_in_it(here, asked, address):
    with pytest.raises(ValueError, match="give the name on the Hub, org/voice"):
        resolve_voice(address)
    assert not asked


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_refused(here, name):
    with pytest.raises(ValueError, match="name of the voice is empty"):
        resolve_voice(name)
