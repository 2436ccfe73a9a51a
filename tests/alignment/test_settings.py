import pytest

from hf_vits.alignment.settings import AlignmentSettings, PreparationSettings

FOLDERS = {"output": "out", "voice": "voice"}


@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        (AlignmentSettings, {"formats": ["TextGrid", "mp3"]}, "mp3"),
        (AlignmentSettings, {"voice": None}, "`voice` is missing"),
        (AlignmentSettings, {"min_confidence": 1.5}, "min_confidence"),
        (AlignmentSettings, {"output": ""}, "output"),
        (PreparationSettings, {"level": 1.0}, "level"),
        (PreparationSettings, {"level": -61.0}, "level"),
        (PreparationSettings, {"max_seconds": 0.0}, "max_seconds"),
        (PreparationSettings, {"batch_size": 0}, "batch_size"),
    ],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(kind, fields, named):
    with pytest.raises(ValueError, match=named):
        kind(**{**FOLDERS, **fields})


def test_formats_are_known_in_any_case_and_preparing_needs_no_voice():
    assert AlignmentSettings(**FOLDERS, formats=["textgrid", "JSON", "srt"]).formats == ["textgrid", "JSON", "srt"]
    assert PreparationSettings(output="out").voice is None
