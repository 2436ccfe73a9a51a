"""Damage of every kind becomes a diagnostic: never a traceback, code that runs, or memory that runs out."""

import json
import os
import pickle
import random
import resource
import shutil
import time
import zipfile

import pytest
import torch
from faults import ONE_SPEAKER

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.cli import main
from hf_vits.doctor import examine
from hf_vits.doctor.examination import CHECKS

FILES = ("config.json", "model.safetensors", "vocab.json", "tokenizer_config.json", "discriminator/config.json")


def ids(path):
    found = [diagnostic.id for diagnostic in examine(path).diagnostics if diagnostic.severity == "error"]
    assert "doctor.failed" not in found
    return set(found)


class Code:
    """Make a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


def loads(folder):
    """Return whether a user can load it; the oracle."""
    try:
        model = VitsModel.from_pretrained(folder)
        VitsTokenizer.from_pretrained(folder)
        return bool(torch.isfinite(model.decode(torch.zeros(1, 8, 4), speaker=model.speaker_vector(0, 1))).all())
    except Exception:
        return False


def damage(voice, chance):
    """Damage one file of the folder in one way."""
    file = voice.path / chance.choice(FILES)
    data = bytearray(file.read_bytes())
    kinds = ["flip", "cut", "fill", "empty", "folder", "gone", "link", "replace"]
    kind = chance.choice(kinds + (["value"] * 6 if file.suffix == ".json" else ["rename", "swap", "header"] * 2))
    if kind == "flip":
        for _ in range(chance.choice([1, 3, 20])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == "header":
        data[chance.randrange(2000)] = chance.randrange(256)
    elif kind == "cut":
        del data[chance.randrange(len(data)) :]
    elif kind == "fill":
        place = chance.randrange(len(data))
        data[place : place + 50] = bytes(chance.randrange(256) for _ in range(50))
    elif kind == "replace":
        data = chance.choice([b"null", b"0", b'"x"', b"\xff\xfe", b"[]", b"{}", b'{"a": {"b": 1}}'])
    if kind in ("folder", "gone", "link"):
        file.unlink()
        if kind == "folder":
            file.mkdir()
        elif kind == "link":
            file.symlink_to(file.name)
    elif kind == "value":
        wrong = [None, -1, 0, 1.5, True, "x", [], [0], [[1]], {}, 10**30, 2**31, float("nan"), "9" * 5000, "\ud800"]
        table = json.loads(data)
        for name in chance.sample(sorted(table), min(len(table), chance.choice([1, 1, 3]))):
            table[name] = chance.choice(wrong)
        file.write_text(json.dumps(table))
    elif kind in ("rename", "swap"):
        table = voice.tensors()
        one, other = chance.sample(sorted(table), 2)
        voice.rewrite(
            (lambda t: t.update({one + "x": t.pop(one)}))
            if kind == "rename"
            else (lambda t: t.update({one: t[other], other: t[one]}))
        )
    else:
        file.write_bytes(b"" if kind == "empty" else bytes(data))
    return f"{file.name} {kind}"


@pytest.mark.thorough(but_every=3)
@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", range(30))
def test_whatever_keeps_a_model_from_loading_is_an_error(speakers_voice, seed, capsys):
    speakers_voice.add_discriminator()
    what = damage(speakers_voice, random.Random(seed))
    code = main(["doctor", str(speakers_voice.path), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert "doctor.failed" not in [found["id"] for found in report["diagnostics"]], (what, report["diagnostics"])
    assert all(found["message"].isprintable() and len(found["message"]) < 2000 for found in report["diagnostics"])
    assert code == (report["counts"]["error"] > 0)
    assert code == 1 or loads(speakers_voice.path), what


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["empty", "folder", "link in a circle", "pipe", "may not be read"])
def test_what_is_not_a_regular_file_is_an_error(voice, monkeypatch, name, kind):
    voice.add_discriminator()
    file = voice.path / name
    if kind != "may not be read":
        file.unlink()
    if kind == "empty":
        file.touch()
    elif kind == "folder":
        file.mkdir()
    elif kind == "link in a circle":
        file.symlink_to(file)
    elif kind == "pipe":
        os.mkfifo(file)  # opening it would wait for ever
    else:
        monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(file))
    found = ids(voice.path)
    part = {"config.json": "config", "model.safetensors": "files", "discriminator/config.json": "discriminator"}
    assert {id.split(".")[0] for id in found} == {part.get(name, "tokenizer")}


def test_what_is_not_a_model_folder_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert ids(tmp_path / "empty") == {"path.empty"}
    assert ids(tmp_path / "nowhere") == {"path.missing"}
    (tmp_path / "circle").symlink_to("circle")
    assert ids(tmp_path / "circle") == {"path.unreadable"}
    assert ids("a\0b") <= {"path.missing", "path.unreadable"} and ids("a\0b")
    os.mkfifo(tmp_path / "pipe.onnx")
    assert ids(tmp_path / "pipe.onnx") == {"path.unreadable"}
    (tmp_path / "inside" / "again").parent.mkdir()
    (tmp_path / "inside" / "again").symlink_to(tmp_path / "inside")
    assert ids(tmp_path / "inside") == {"config.missing", "files.no_weights"}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("kind", ["archive", "old"])
def test_code_in_a_pickle_is_named_and_not_run(voice, tmp_path, protocol, kind):
    table = {"a": torch.zeros(2), "b": Code(tmp_path / "ran")}
    torch.save(
        table,
        voice.path / "pytorch_model.bin",
        _use_new_zipfile_serialization=kind == "archive",
        pickle_protocol=protocol,
    )
    (voice.path / "model.safetensors").unlink()
    (voice.path / "training_state.pt").write_bytes(pickle.dumps(Code(tmp_path / "ran")))
    (voice.path / "discriminator").mkdir()
    shutil.copy(voice.path / "pytorch_model.bin", voice.path / "discriminator")
    found = {diagnostic.id: diagnostic for diagnostic in examine(voice.path).diagnostics}
    assert {"files.unsafe", "files.training_state", "discriminator.unreadable"} <= found.keys()
    if protocol == 2:
        assert "system" in found["files.unsafe"].message
    assert not (tmp_path / "ran").exists()
    torch.load(voice.path / "pytorch_model.bin", weights_only=False)
    assert (tmp_path / "ran").exists()  # it would have


def test_an_old_pickle_of_tensors_is_read(voice):
    torch.save(voice.tensors(), voice.path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    (voice.path / "model.safetensors").unlink()
    assert ids(voice.path) == set()


def archive_with(change, source, target):
    """Copy an archive of PyTorch, with other entries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(old.read(entry)))


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.thorough
def test_a_zip_bomb_is_not_unpacked(voice):
    file = voice.path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(3)}, file)
    megabyte = b"\0" * 1_000_000
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("x/data/1", "w") as entry:
        for _ in range(500):
            entry.write(megabyte)
    (voice.path / "model.safetensors").unlink()
    assert file.stat().st_size < 1_000_000
    before = peak()
    assert ids(voice.path) == {"files.oversized"}
    assert peak() - before < 200_000_000


@pytest.mark.parametrize("kind", ["a larger shape", "one number for all"])
def test_a_tensor_that_claims_more_than_its_file_has_is_refused(voice, tmp_path, kind):
    if kind == "one number for all":
        torch.save({"a": torch.zeros(1).expand(2_000_000_000)}, voice.path / "pytorch_model.bin")
    else:
        torch.save({"a": torch.zeros(7, 3)}, tmp_path / "small.bin")
        claimed = b"J" + (400_000_000).to_bytes(4, "little") + b"K\x03\x86"
        archive_with(
            lambda data: data.replace(b"K\x07K\x03\x86", claimed),
            tmp_path / "small.bin",
            voice.path / "pytorch_model.bin",
        )
        assert claimed in (voice.path / "pytorch_model.bin").read_bytes()
    (voice.path / "model.safetensors").unlink()
    before = peak()
    assert ids(voice.path) == {"files.damaged"}
    assert peak() - before < 100_000_000


@pytest.mark.parametrize("type", ["F8_E4M3", "F4", "I64", "BOOL", "C64"])
def test_a_type_that_weights_may_not_have_is_an_error(voice, type):
    file = voice.path / "model.safetensors"
    size = int.from_bytes(file.read_bytes()[:8], "little")
    table, data = json.loads(file.read_bytes()[8 : 8 + size]), file.read_bytes()[8 + size :]
    table["decoder.conv_pre.weight"]["dtype"] = type
    bits = {"F8_E4M3": 8, "F4": 4, "I64": 64, "BOOL": 8, "C64": 64}[type]
    shape = table["decoder.conv_pre.weight"]["shape"]
    table["decoder.conv_pre.weight"]["shape"] = [shape[0] * 32 // bits, *shape[1:]]
    header = json.dumps(table).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + data)
    assert "weights.invalid_type" in ids(voice.path)


def test_a_header_that_claims_gigabytes_is_refused(voice):
    file = voice.path / "model.safetensors"
    file.write_bytes((2**40).to_bytes(8, "little") + file.read_bytes()[8:])
    assert ids(voice.path) == {"files.damaged"}


def test_a_header_longer_than_the_limit_is_not_read(voice, monkeypatch):
    size = int.from_bytes((voice.path / "model.safetensors").read_bytes()[:8], "little")
    monkeypatch.setattr("hf_vits.hub.state_dict.MOST_HEADER", size)
    assert ids(voice.path) == set()
    monkeypatch.setattr("hf_vits.hub.state_dict.MOST_HEADER", size - 1)
    assert ids(voice.path) == {"files.damaged"}


def test_huge_numbers_of_a_configuration_allocate_no_memory(voice):
    """Each of these would make a list, a layer or a waveform of that length."""
    voice.change("vocab.json", z=2**31 - 1)
    voice.change("config.json", num_speakers=2**39, speaker_embedding_size=1, vocab_size=2**39)
    before = peak()
    assert ids(voice.path) == {"config.too_large"}
    (voice.path / "model.safetensors").rename(voice.path / "kept")
    assert ids(voice.path) == {"files.no_weights", "config.too_large"}
    (voice.path / "kept").rename(voice.path / "model.safetensors")
    voice.change("config.json", num_speakers=1, speaker_embedding_size=0, vocab_size=20)
    voice.change("vocab.json", z=1)
    voice.change("config.json", resblock_dilation_sizes=[[2**30]])
    assert ids(voice.path) == {"config.invalid_type"}
    voice.change("config.json", resblock_dilation_sizes=[[2]], speaking_rate=1e-7)
    assert ids(voice.path) == {"smoke_test.model"}
    assert peak() - before < 200_000_000


def test_twenty_thousand_absent_shards_are_counted_at_once(voice):
    (voice.path / "model.safetensors").unlink()
    names = {f"t{number}": f"shard-{number}.safetensors" for number in range(20_000)}
    (voice.path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    start = time.process_time()
    found = [diagnostic for diagnostic in examine(voice.path).diagnostics if diagnostic.id == "files.missing_shards"]
    assert len(found[0].details["files"]) == 20_000 and len(found[0].message) < 1000
    assert time.process_time() - start < 5  # of which the square would take 17


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["../secret", "/dev/zero", "pipe", "link", "circle", "folder", 5, ""])
def test_an_index_that_names_files_elsewhere_is_an_error_and_not_followed(voice, tmp_path, name):
    shutil.copy(voice.path / "model.safetensors", tmp_path / "secret")
    (voice.path / "model.safetensors").unlink()
    os.mkfifo(voice.path / "pipe")
    (voice.path / "link").symlink_to(tmp_path / "secret")
    (voice.path / "circle").symlink_to("circle")
    (voice.path / "folder").mkdir()
    index = {"weight_map": {"decoder.conv_pre.weight": name}}
    (voice.path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert ids(voice.path) & {"files.index", "files.not_a_file"}
    with pytest.raises((ValueError, OSError), match="index.json|folder|circle|pipe|link"):
        VitsModel.from_pretrained(voice.path)


def test_ten_thousand_unknown_fields_are_one_note(voice):
    voice.change("config.json", **{f"field {number}": 1 for number in range(10_000)})
    found = [diagnostic for diagnostic in examine(voice.path).diagnostics if diagnostic.id == "config.unknown_field"]
    assert len(found) == 1 and "10000" in found[0].message


def test_control_characters_of_a_file_do_not_reach_the_terminal(voice, capsys):
    voice.change("config.json", **{"\x1b[2Jfield\ud800": 1, "speaker_names": ["a\x07\nb"]})
    main(["doctor", str(voice.path)])
    printed = capsys.readouterr().out
    assert "field" in printed and printed.replace("\n", "").isprintable()


def test_a_failing_check_does_not_hide_the_others(voice, monkeypatch):
    def fails(folder):
        raise KeyError("x")

    ONE_SPEAKER["signal.sampling_rate"][0](voice)
    monkeypatch.setattr("hf_vits.doctor.examination.CHECKS", (fails, *CHECKS))
    found = {diagnostic.id for diagnostic in examine(voice.path).diagnostics}
    assert {"doctor.failed", "signal.sampling_rate"} <= found
