"""Settings that contradict each other are errors, and those that were changed are known."""

import pytest

from hf_vits.synthesis.config import SynthesisSettings


def test_settings_that_are_not_the_default_are_those_that_were_given():
    assert SynthesisSettings().changed == {}
    assert SynthesisSettings(dataset_name="a.csv", seed=0, pause=0.5).changed == {"dataset_name": "a.csv", "pause": 0.5}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"push_to_hub": True}, "name the data set with `hub_dataset_id`"),
        ({"speaker_id": 1, "speaker_column": "who"}, "are both given"),
        ({"dtype": "float64"}, "`dtype`"),
    ],
)
def test_settings_that_contradict_each_other_are_errors(fields, message):
    with pytest.raises(ValueError, match=message):
        SynthesisSettings(**fields)
