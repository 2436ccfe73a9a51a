"""Graphs belong to what a voice is, wherever it lies; what cannot be read counts as absent."""

import json
import os
import shutil

import pytest

import hf_vits
from hf_vits.runtime import graphs
from hf_vits.runtime.graphs import DESCRIPTION, find, folder_of, graphs_folder, remove_oldest
from hf_vits.runtime.speech import SPEECH, TEXT
from hf_vits.utils import digests
from hf_vits.utils.digests import record_digests

FILES = {
    "config.json": "{}",
    "model.safetensors": "weights",
    "vocab.json": "{}",
    "tokenizer_config.json": "{}",
    "README.md": "# A voice",
}


@pytest.fixture
def voice(cache, tmp_path):
    """A folder with the files of a voice, which are not read but for their digests."""
    folder = tmp_path / "voice"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def read(monkeypatch):
    """The names of the files whose digests are computed."""
    names, sha256 = [], digests.sha256
    monkeypatch.setattr(digests, "sha256", lambda file: (names.append(file.name), sha256(file))[1])
    return names


def write(folder, description, used=None, texts=(TEXT, SPEECH)):
    """Graphs as they are made, of a few bytes."""
    folder.mkdir(parents=True)
    (folder / DESCRIPTION).write_text(json.dumps(description))
    for name in texts:
        (folder / name).write_text(name)
    record_digests(folder, [DESCRIPTION, *texts])
    if used is not None:
        os.utime(folder, (used, used))
    return folder


def test_a_copy_and_another_name_of_a_voice_have_its_graphs_and_its_card_does_not_matter(voice, tmp_path):
    shutil.copytree(voice, tmp_path / "copy")
    (tmp_path / "copy" / "README.md").write_text("Another card.")
    (tmp_path / "copy" / "completion.json").touch()
    (tmp_path / "link").symlink_to(voice)
    assert folder_of(voice) == folder_of(tmp_path / "copy") == folder_of(tmp_path / "link")
    assert folder_of(voice).parent == graphs_folder()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.json", "tokenizer_config.json"])
def test_each_file_that_decides_the_sound_decides_the_graphs(voice, name):
    before = folder_of(voice)
    (voice / name).write_text("other")
    changed = folder_of(voice)
    (voice / name).unlink()
    assert len({before, changed, folder_of(voice)}) == 3


def test_another_version_of_the_package_and_of_the_graphs_makes_its_own(voice, monkeypatch):
    found = [folder_of(voice)]
    with monkeypatch.context() as other:
        other.setattr(hf_vits, "__version__", "0.0.0")
        found.append(folder_of(voice))
    monkeypatch.setattr(graphs, "VERSION", graphs.VERSION + 1)
    found.append(folder_of(voice))
    assert len(set(found)) == 3


def test_files_are_read_once_and_again_only_if_they_have_changed(voice, read):
    first = folder_of(voice)
    assert sorted(read) == sorted(FILES.keys() - {"README.md"})
    read.clear()
    assert folder_of(voice) == first and read == []
    (voice / "vocab.json").write_text("{ }")
    assert folder_of(voice) != first and read == ["vocab.json"]


def test_a_cache_that_cannot_be_written_to_and_a_folder_that_does_not_exist_have_no_graphs(
    voice, cache, read, tmp_path
):
    first = folder_of(voice)
    shutil.rmtree(cache)
    cache.write_text("a file is here")
    read.clear()
    assert folder_of(voice) == folder_of(voice) == first and len(read) == 8  # twice, since nothing can be kept
    assert find(voice) is None and find(tmp_path / "nowhere") is None


@pytest.mark.parametrize("description", ["", "{", "7", "null", "[" * 100_000, '{"config": "\udcff"}'])
def test_a_description_that_is_none_counts_as_absent(voice, description):
    folder = write(folder_of(voice), {"digest": "0"})
    assert find(voice).description == {"digest": "0"}
    (folder / DESCRIPTION).write_bytes(description.encode(errors="surrogateescape"))
    record_digests(folder, [DESCRIPTION, TEXT, SPEECH])
    assert find(voice) is None


def test_a_voice_that_is_refused_needs_no_graphs_and_says_why(voice):
    folder = write(folder_of(voice), {"refused": "it has ids that the model does not know"}, texts=())
    assert find(voice).refused == "it has ids that the model does not know"
    shutil.rmtree(folder)
    write(folder, {"digest": "0"})
    assert find(voice).refused is None


def test_graphs_speak_with_the_lexicon_of_their_voice(voice, monkeypatch):
    folder = write(folder_of(voice), {"digest": "0"})
    monkeypatch.setattr(graphs, "OnnxSpeech", lambda *arguments: arguments)
    *given, plain, threads = find(voice).load(voice, 3)
    assert (given, threads) == ([folder, {"digest": "0"}], 3)
    (voice / "lexicon.tsv").write_text("gif\tjiff\n")
    assert find(voice) is None  # it is another voice now
    write(folder_of(voice), {"digest": "1"})
    lexicon = find(voice).load(voice, 1)[2]
    assert (plain.table(), lexicon.table()) == ("", "gif\tjiff\n")


def test_those_that_were_not_used_for_longest_are_removed_and_nothing_else(cache, monkeypatch):
    monkeypatch.setattr(graphs, "KEPT", 3)
    remove_oldest()  # there is no folder yet
    for number in (3, 0, 4, 1, 2):
        write(graphs_folder() / f"graphs{number}", {}, used=1e9 + number)
    for name in ("sources", "unfinished"):
        (graphs_folder() / name).mkdir()
        os.utime(graphs_folder() / name, (1, 1))
    remove_oldest()
    left = sorted(path.name for path in graphs_folder().iterdir())
    assert left == ["graphs2", "graphs3", "graphs4", "sources", "unfinished"]
    remove_oldest()
    assert len(list(graphs_folder().iterdir())) == 5
