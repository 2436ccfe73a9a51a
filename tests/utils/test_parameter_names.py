"""Names of modules match whole parts of the names of parameters, and the longest one counts."""

import pytest

from hf_vits.utils.parameter_names import matching_patterns, numbers_by_name

NAMES = ["flow.weight", "flow.bias", "flows.weight", "flows.bias", "text.weight", "text.bias"]


def test_the_longest_name_that_begins_a_parameters_gives_its_number():
    by_start = {"flow.weight": 3.0, "flow": 0.5, "text.": 2.0}
    assert list(numbers_by_name(NAMES, by_start, 1.0, "setting").values()) == [3.0, 0.5, 1.0, 1.0, 2.0, 2.0]
    assert numbers_by_name(NAMES, {}, 0.3, "setting") == dict.fromkeys(NAMES, 0.3)


def test_a_name_that_begins_no_parameters_is_an_error_that_names_the_setting_and_lists_the_modules():
    with pytest.raises(ValueError, match="`rates` has .*'flo'.*The modules are .*'flow', 'flows', 'text'"):
        numbers_by_name(NAMES, {"flo": 1.0, "text": 1.0}, 1.0, "rates")
    [pattern] = matching_patterns(NAMES, ["flow"], "setting")
    assert [name for name in NAMES if pattern.match(name)] == ["flow.weight", "flow.bias"]
