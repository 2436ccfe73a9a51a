"""The license of a voice is that of its card, or follows from its name."""

import pytest

from hf_vits.hub.known_voices import VOICES
from hf_vits.hub.license import MMS_LICENSE, PACKAGED_LICENSE_NAME, Provenance, origin_of
from hf_vits.utils.default_name import DEFAULT


@pytest.mark.parametrize(
    ("license", "is_non_commercial"),
    [
        ("cc-by-nc-4.0", True),
        ("cc-by-nc-sa-4.0", True),
        ("nc", True),
        ("cc-by-4.0", False),
        ("ncsa", False),
        (None, False),
    ],
)
def test_licenses_with_nc_forbid_commercial_use(license, is_non_commercial):
    assert Provenance(license=license).is_non_commercial == is_non_commercial


def test_a_license_in_words_has_its_name_and_terms():
    assert Provenance().license_in_words == "unknown"
    assert Provenance(license="mit").license_in_words == "mit"
    assert (
        Provenance(license="other", license_name="own", terms="for tests").license_in_words == "other (own): for tests"
    )


def test_a_folder_has_the_license_of_its_card_and_without_one_none(tmp_path):
    folder = tmp_path / "voice"
    folder.mkdir()
    assert origin_of(str(folder)) == Provenance("voice")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: de\n---\nA voice.\n")
    origin = origin_of(str(folder))
    assert (origin.name, origin.license, origin.language, origin.on_hub) == ("voice", "mit", ["de"], [])


def test_a_voice_of_mms_is_known_by_the_name_of_its_folder(tmp_path, caplog):
    folder = tmp_path / "mms-tts-fra"
    folder.mkdir()
    assert origin_of(str(folder)).license == MMS_LICENSE
    assert f"mms-tts-fra has the license {MMS_LICENSE}: nothing made from it may be used commercially" in caplog.text


def test_the_default_voice_is_known_by_the_digest_in_its_folder(tmp_path):
    voice = VOICES[DEFAULT]
    origin = origin_of(str(tmp_path / f"{voice.name}-{voice.onnx_sha256[:12]}-converted"))
    assert (origin.name, origin.license, origin.license_name) == (DEFAULT, "other", PACKAGED_LICENSE_NAME)
    assert origin.terms == voice.license_text
    assert origin_of("") == Provenance()
