import ast
import logging

import pytest
import torch
from huggingface_hub import SpaceCard

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.hub.known_voices import VOICES
from hf_vits.hub.license import PACKAGED_LICENSE_NAME
from hf_vits.serving import space
from hf_vits.serving.space import write_space
from hf_vits.utils.default_name import DEFAULT


@pytest.fixture
def voice(tmp_path, pipe):
    """A folder of a voice, with what only training needs and a file of somebody else."""
    folder = tmp_path / "tiny-voice"
    pipe.model.save_pretrained(folder)
    pipe.tokenizer.save_pretrained(folder)
    (folder / "training_state.pt").write_bytes(b"state")
    (folder / "notes.txt").write_text("private")
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\nbase_model: owner/base\n---\n# Tiny\n")
    return folder


def made_voice(folder):
    """The voice that app.py of a Space makes its demo of."""
    calls = [node for node in ast.walk(ast.parse((folder / "app.py").read_text())) if isinstance(node, ast.Call)]
    call = next(call for call in calls if getattr(call.func, "id", "") == "make_demo")
    return ast.literal_eval(call.args[0])


def test_a_folder_becomes_part_of_the_space_without_what_only_training_needs(tmp_path, voice, pipe):
    folder = write_space(voice, tmp_path / "space")
    copy = folder / made_voice(folder)
    names = {file.name for file in copy.iterdir()}
    assert names == {file.name for file in voice.iterdir()} - {"training_state.pt", "notes.txt"}
    weights = pipe.model.state_dict()
    for name, tensor in VitsModel.from_pretrained(copy).state_dict().items():
        assert torch.equal(tensor, weights[name])
    assert VitsTokenizer.from_pretrained(copy).get_vocab() == pipe.tokenizer.get_vocab()
    assert "*.safetensors filter=lfs" in (folder / ".gitattributes").read_text()


def test_the_card_has_the_settings_of_a_space_and_the_license_of_the_voice(tmp_path, voice):
    card = SpaceCard.load(write_space(voice, tmp_path / "space") / "README.md")
    assert (card.data.sdk, card.data.app_file, card.data.title) == ("gradio", "app.py", "tiny-voice")
    assert (card.data.license, card.data.models) == ("cc-by-4.0", ["owner/base"])
    assert "cc-by-4.0" in card.text


def test_the_default_voice_is_named_and_none_of_its_files_are_copied(tmp_path, monkeypatch):
    cached = tmp_path / f"{DEFAULT}-{VOICES[DEFAULT].onnx_sha256[:12]}"
    cached.mkdir()
    monkeypatch.setattr(space, "resolve_voice", lambda name: str(cached))
    monkeypatch.setattr(space, "known_voice", lambda name: cached)
    folder = write_space("default", tmp_path / "space")
    assert made_voice(folder) == "default"
    assert {file.name for file in folder.iterdir()} == {"app.py", "requirements.txt", "README.md"}
    card = SpaceCard.load(folder / "README.md")
    assert (card.data.license, card.data.license_name) == ("other", PACKAGED_LICENSE_NAME)
    assert "research license" in card.text


def test_a_voice_on_the_hub_is_named_and_linked(tmp_path, monkeypatch):
    monkeypatch.setattr(space, "resolve_voice", lambda name: name)
    folder = write_space("facebook/mms-tts-eng", tmp_path / "space")
    assert made_voice(folder) == "facebook/mms-tts-eng"
    card = SpaceCard.load(folder / "README.md")
    assert card.data.models == ["facebook/mms-tts-eng"] and card.data.license == "cc-by-nc-4.0"
    assert "https://huggingface.co/facebook/mms-tts-eng" in card.text


def test_requirements_name_this_version_or_what_is_given(tmp_path, voice):
    assert (write_space(voice, tmp_path / "one") / "requirements.txt").read_text() == space.PACKAGE + "\n"
    given = write_space(voice, tmp_path / "two", package="hf_vits @ git+ssh://host/repository")
    assert (given / "requirements.txt").read_text() == "hf_vits @ git+ssh://host/repository\n"


def test_a_folder_is_written_whole_or_not_at_all_and_replaced_only_if_asked(tmp_path, voice, monkeypatch):
    target = tmp_path / "space"
    with monkeypatch.context() as patch:
        patch.setattr(SpaceCard, "save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_space(voice, target)
    assert [file.name for file in tmp_path.iterdir()] == ["tiny-voice"]
    write_space(voice, target)
    (target / "mine").touch()
    with pytest.raises(FileExistsError, match="--overwrite"):
        write_space(voice, target)
    assert not (write_space(voice, target, overwrite=True) / "mine").exists()


def test_a_folder_that_holds_the_voice_is_not_replaced(tmp_path, voice):
    with pytest.raises(ValueError, match="the source"):
        write_space(voice, voice, overwrite=True)
    assert (voice / "config.json").exists()


def test_an_unknown_license_is_a_warning(tmp_path, voice, caplog):
    (voice / "README.md").unlink()
    with caplog.at_level(logging.WARNING, space.__name__):
        folder = write_space(voice, tmp_path / "space")
    assert "license of tiny-voice is not known" in caplog.text
    assert "unknown" in (folder / "README.md").read_text()
