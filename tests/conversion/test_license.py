"""The license of a voice comes along from the card beside it, and that of MMS whatever a card says."""

import pytest
from coqui_files import write_voice as write_coqui
from hugging_face_folders import change_config, write_stock
from original_files import tiny_model, write_original
from piper_checkpoints import write_checkpoint
from piper_files import tiny_model as speaking_model
from piper_files import write_voice as write_piper

from hf_vits import convert
from hf_vits.hub.cards import card
from hf_vits.hub.license import PACKAGED_LICENSE_NAME, Provenance, origin_of

LAYOUTS = {
    "original": ("vits", lambda folder: write_original(folder, tiny_model())),
    "Piper": ("piper", lambda folder: write_piper(folder, speaking_model())),
    "Piper's checkpoint": ("hf_vits", lambda folder: write_checkpoint(folder, tiny_model(), None)),
    "Coqui": ("hf_vits", lambda folder: write_coqui(folder, tiny_model())),
}
NON_COMMERCIAL = Provenance(license="cc-by-nc-4.0", on_hub=["facebook/mms-tts-fra"], language=["fr"])


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("library", "write"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_card_of_an_export_gives_its_license_back(library, write, tmp_path):
    card("voice", NON_COMMERCIAL, None, (), library).save(tmp_path / "README.md")

    converted = convert(write(tmp_path))
    converted.save(tmp_path / "back")

    assert any("cc-by-nc-4.0. Nothing made from it may be used commercially" in note for note in converted.notes)
    back = origin_of(str(tmp_path / "back"))
    assert (back.license, back.on_hub, back.language) == ("cc-by-nc-4.0", ["facebook/mms-tts-fra"], ["fr"])


def test_the_terms_of_the_default_voice_come_back_too(tmp_path):
    origin = Provenance(license="other", license_name=PACKAGED_LICENSE_NAME)
    card("voice", origin, None, (), "piper").save(tmp_path / "README.md")

    found = convert(write_piper(tmp_path, speaking_model())).origin

    assert (found.license, found.license_name) == ("other", PACKAGED_LICENSE_NAME)
    assert "research" in found.license_in_words


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    "text",
    [
        "# Things I downloaded\n",
        "---\nlicense: mit\n---\n# A program\n",
        "---\nlicense: mit\npipeline_tag: text-generation\ntags: [llm]\n---\n",
        "---\npipeline_tag: text-to-speech\n---\nof no license\n",
        "---\nlicense: [\n---\n",
        "---\n- text-to-speech\n---\n",
    ],
)
def test_a_readme_that_is_no_card_of_a_voice_tells_no_license(text, tmp_path):
    (tmp_path / "README.md").write_text(text)

    converted = convert(write_original(tmp_path, tiny_model()))

    assert converted.origin is None
    assert not any("license" in note for note in converted.notes)


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("license: apache-2.0\nbase_model: facebook/mms-tts-hin", {}),
        ("license: apache-2.0", {"_name_or_path": "facebook/mms-tts-hin"}),
        ("license: other\nlicense_name: free\nlicense_link: https://example.org\nbase_model: me/mms-tts-hin", {}),
        ("language: hi", {"_name_or_path": "facebook/mms-tts-hin"}),
    ],
)
def test_what_is_made_from_mms_has_its_license_whatever_the_card_says(said, fields, tmp_path):
    folder = change_config(write_stock(tmp_path / "voice", tiny_model()), **fields)
    (folder / "README.md").write_text(f"---\n{said}\n---\n")

    converted = convert(folder)
    converted.save(tmp_path / "new")

    assert any("mms-tts-hin, which it was made from" in note for note in converted.notes)
    if "license" in said:
        assert any("its card says " in note for note in converted.notes)
    back = origin_of(str(tmp_path / "new"))
    assert (back.license, back.license_name, back.license_link) == ("cc-by-nc-4.0", None, None)


def test_a_stricter_license_than_that_of_mms_stays(tmp_path):
    folder = write_stock(tmp_path / "voice", tiny_model())
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-nd-4.0\nbase_model: facebook/mms-tts-hin\n---\n")

    assert convert(folder).origin.license == "cc-by-nc-nd-4.0"


def test_a_readme_of_another_size_than_a_card_s_is_not_read(tmp_path):
    folder = write_stock(tmp_path / "voice", tiny_model())
    (folder / "README.md").write_text("---\nlicense: mit\n---\n" + "x" * 2**24)

    assert convert(folder).origin.license is None
