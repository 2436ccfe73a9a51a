import pytest

from hf_vits.configuration_vits import index_of


@pytest.mark.parametrize(
    "count, names, advice",
    [
        (1, None, "leave it out, or pass 0"),
        (3, None, "pass a number, 0 to 2"),
        (2, ["anna", "bob"], "pass one of those"),
    ],
)
def test_an_unknown_name_is_answered_with_what_the_model_can_be_given(count, names, advice):
    with pytest.raises(ValueError, match="'carl'") as error:
        index_of("speaker", "carl", count, names)
    assert advice in str(error.value)
    assert ("one of those" in str(error.value)) == bool(names)
