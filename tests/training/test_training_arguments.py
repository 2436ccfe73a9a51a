import pytest

from hf_vits.data.dataset import ClipFilter
from hf_vits.training import RunOptions, VitsTrainingArguments


def test_the_limits_of_clips_are_those_of_the_filter_unless_set():
    assert VitsTrainingArguments().clip_filter == ClipFilter()
    changed = VitsTrainingArguments(min_duration_seconds=0.2, max_duration_seconds=9.0, max_tokens=5)
    assert changed.clip_filter == ClipFilter(0.2, 9.0, 5)


def test_clips_cannot_be_limited_to_no_length():
    with pytest.raises(ValueError, match="`min_duration_seconds` is 3, which is not below `max_duration_seconds`, 3"):
        VitsTrainingArguments(min_duration_seconds=3, max_duration_seconds=3)


def test_a_name_for_the_upload_is_refused_with_the_setting_that_takes_it():
    with pytest.raises(ValueError, match="`push_to_hub` is 'org/voice'; it must be true or false.*`hub_model_id`"):
        RunOptions(push_to_hub="org/voice")
