import pytest

from hf_vits.evaluation.settings import EvaluationSettings


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing to speak"),
        ({"texts": "a.txt", "metrics": []}, "`metrics` is empty"),
        ({"texts": "a.txt", "metrics": ["loudest"]}, "loudest"),
        ({"texts": "a.txt", "metrics": ["similarity"]}, "similarity, which compares with recordings: give them"),
        ({"texts": "a.txt", "dataset_name": "data", "metrics": ["mcd"]}, "of the same sentences: leave out `texts`"),
        ({"texts": "a.txt", "recognizer": "ears:big"}, "recognizer"),
        ({"texts": "a.txt", "speaker_encoder": "ears"}, "speaker_encoder"),
        ({"texts": "a.txt", "max_sentences": 0}, "max_sentences"),
    ],
)
def test_settings_that_cannot_be_measured_are_an_error_that_says_why(fields, message):
    with pytest.raises(ValueError, match=message):
        EvaluationSettings(**fields)


def test_metrics_are_measured_once_and_in_the_language_of_the_voice_if_none_is_given():
    settings = EvaluationSettings(texts="a.txt", metrics=["wer", "cer", "wer"])
    assert settings.metrics == ["wer", "cer"]
    assert settings.options("fr").language == "fr"
    assert EvaluationSettings(texts="a.txt", language="de").options("fr").language == "de"
