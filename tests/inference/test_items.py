"""Arguments of a call are given to its texts, and those of tokens are padded."""

import numpy as np
import pytest
import torch

from hf_vits.inference.items import is_list, merged, padded, text_and_arguments


def test_values_are_given_to_the_texts_in_their_order():
    found = merged(["a", {"text": "b", "seed": 3}], {"speaker_id": torch.tensor([1, 2]), "noise_scale": [0.1, 0.2]})
    assert found == [
        {"text": "a", "speaker_id": 1, "noise_scale": 0.1},
        {"text": "b", "seed": 3, "speaker_id": 2, "noise_scale": 0.2},
    ]
    with pytest.raises(ValueError, match="`speaker_id` has 1 values for 2 texts"):
        merged(["a", "b"], {"speaker_id": [1]})


def test_arguments_of_tokens_are_padded_with_what_changes_nothing():
    items = [{"token_rates": [[2.0, 3.0]], "durations": [[4]]}, {"durations": [[5, 6, 7]]}]
    assert padded(items, {"token_rates", "durations", "speaker_id"}, 3) == {
        "token_rates": [[2.0, 3.0, 1.0], [1.0, 1.0, 1.0]],
        "durations": [[4, 0, 0], [5, 6, 7]],
    }
    with pytest.raises(ValueError, match="some texts of a batch"):
        padded([{"durations": [[4]]}, {}], {"durations"}, 3)


def test_an_unknown_key_of_an_item_is_an_error_with_the_one_that_was_meant():
    assert text_and_arguments({"text": "a", "speaker_id": 2}) == ("a", {"speaker_id": 2})
    with pytest.raises(ValueError, match="`?speaker_id"):
        text_and_arguments({"text": "a", "speaker": 2})


@pytest.mark.parametrize(
    ("value", "expected"),
    [([1], True), ((1,), True), (np.zeros(2), True), (torch.zeros(2), True), (torch.tensor(1), False), ("a", False)],
)
def test_what_has_one_axis_is_a_list(value, expected):
    assert is_list(value) == expected
