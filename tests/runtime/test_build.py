"""Graphs are made once for a voice, whole or not at all, and those that are damaged are made again."""

import json
import threading

import processes
import pytest
import torch
from runtime_voices import fields_of, spoken
from safetensors.torch import load_file, save_file

from hf_vits.runtime import build as building
from hf_vits.runtime import graphs
from hf_vits.runtime.build import build
from hf_vits.runtime.graphs import find, folder_of, graphs_folder
from hf_vits.runtime.speech import SPEECH, TEXT


@pytest.fixture
def made(monkeypatch):
    """The voices for which graphs were made."""
    calls, make = [], building._make
    monkeypatch.setattr(building, "_make", lambda voice, folder: (calls.append(voice), make(voice, folder)))
    return calls


@pytest.fixture
def quick(monkeypatch):
    """Graphs are a few bytes, and not compared, where a test is about files alone."""

    def write(model, folder):
        (folder / TEXT).write_bytes(b"text")
        (folder / SPEECH).write_bytes(b"speech")

    monkeypatch.setattr(building, "_write_graphs", write)
    monkeypatch.setattr(building, "OnnxSpeech", lambda *_, **__: None)
    monkeypatch.setattr(building, "_compare", lambda *_: None)


def test_graphs_are_found_again_until_the_voice_changes(cache, save_voice, made, quick):
    voice = save_voice(**fields_of("paper"))
    assert find(voice) is None
    first = build(voice)
    assert find(voice) == build(voice) == first and made == [voice]
    weights = load_file(voice / "model.safetensors")
    save_file({name: tensor * 1.01 for name, tensor in weights.items()}, voice / "model.safetensors", {"format": "pt"})
    assert find(voice) is None and build(voice).folder != first.folder
    (voice / "lexicon.tsv").write_text("gif\tjiff\n")
    assert find(voice) is None


@pytest.mark.parametrize("name", [TEXT, SPEECH, "voice.json", ".digests.json"])
@pytest.mark.parametrize("damage", ["removed", "cut", "other"])
def test_damaged_graphs_are_absent_and_made_again(cache, save_voice, made, quick, name, damage):
    voice = save_voice(**fields_of("paper"))
    file = build(voice).folder / name
    if damage == "removed":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"!" * len(content))
    assert find(voice) is None
    assert build(voice) == find(voice) is not None and len(made) == 2


def test_a_file_in_place_of_the_folder_is_replaced(cache, save_voice, quick):
    voice = save_voice(**fields_of("paper"))
    folder = folder_of(voice)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("")
    assert find(voice) is None and build(voice) is not None


def test_two_first_calls_at_once_make_the_graphs_once(cache, save_voice, made, quick):
    voice, found = save_voice(**fields_of("paper")), []
    threads = [threading.Thread(target=lambda: found.append(build(voice))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [find(voice)] * 3 and len(made) == 1
    assert sorted(path.name for path in graphs_folder().iterdir()) == sorted([found[0].folder.name, "sources"])


@pytest.mark.thorough
def test_a_process_in_the_background_makes_them_unless_another_does(cache, save_voice):
    voice = save_voice(**fields_of("paper"))
    environment = {"HF_VITS_CACHE": str(cache)}
    started = [processes.start(building.main, str(voice), environment=environment) for _ in range(2)]
    assert processes.exit_codes(started) == [0, 0]
    assert spoken(find(voice).load(voice, threads=1), "a hope", 0)


def test_a_voice_that_cannot_be_exported_is_examined_once(cache, save_voice, made, monkeypatch, quick):
    def fails(*_):
        raise ValueError("samples differ by 1.0 from PyTorch's")

    monkeypatch.setattr(building, "_compare", fails)
    voice = save_voice(**fields_of("paper"))
    assert "samples differ" in build(voice).refused
    assert build(voice) == find(voice) and len(made) == 1
    assert not (find(voice).folder / TEXT).exists()


def test_voices_that_would_sound_different_are_refused(make_model, make_tokenizer):
    model = make_model(**fields_of("paper"))
    assert "upstream_compatible" in building.described(model, make_tokenizer(upstream_compatible=True))["refused"]
    assert "ids" in building.described(make_model(vocab_size=9), make_tokenizer())["refused"]


def test_the_graphs_that_were_not_used_for_longest_are_removed(cache, save_voice, quick, monkeypatch):
    monkeypatch.setattr(graphs, "KEPT", 2)
    voices = [save_voice(f"voice{number}", **fields_of("paper")) for number in range(3)]
    for number, voice in enumerate(voices):
        (voice / "config.json").write_text(
            json.dumps({**json.loads((voice / "config.json").read_text()), "noise_scale": number / 10})
        )
    build(voices[0]), build(voices[1])
    assert find(voices[0])  # used after the second one
    build(voices[2])
    assert [find(voice) is not None for voice in voices] == [True, False, True]


@pytest.mark.thorough
def test_a_difference_from_pytorch_is_noticed(cache, save_voice):
    from hf_vits import VitsModel, VitsTokenizer

    voice = save_voice(**fields_of("paper"))
    speech = build(voice).load(voice, threads=1)
    model, tokenizer = VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice)
    building._compare(model, tokenizer, speech)
    with torch.no_grad():
        model.decoder.conv_post.weight *= 1.1
    with pytest.raises(ValueError, match="differ"):
        building._compare(model, tokenizer, speech)
