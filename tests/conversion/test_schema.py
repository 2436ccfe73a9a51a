"""Values of a JSON file are checked by type and range, and an error names field and file."""

import pytest

from hf_vits.conversion.schema import JsonReader, check_agreement, inspect_json, is_whole, row_names


@pytest.fixture
def reader(tmp_path):
    data = {"a": {"b": 3, "flag": True, "none": None}, "word": "<Kind.WORD: 'word'>", "list": [1, 2]}
    return JsonReader(tmp_path / "a.json", data, "toy")


def test_a_value_is_found_by_its_path_and_null_is_missing(reader):
    assert reader.whole("a.b") == 3 and reader.flag("a.flag") is True and reader.wholes("list") == [1, 2]
    assert reader.whole("a.none", 7) == 7 and reader.choice("word", "x", ["other", "word"]) == "word"


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda reader: reader.whole("a.b", least=4), "`a.b` in .*a.json is 3; it must be a whole number from 4"),
        (lambda reader: reader.whole("a.flag"), "is True"),
        (lambda reader: reader.text("a.b"), "a string that is not empty"),
        (lambda reader: reader.whole("a.none"), "has no `a.none`; every toy's file has"),
        (lambda reader: reader.whole("word.x"), "`word` .*an object"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_field_and_file(reader, read, message):
    with pytest.raises(ValueError, match=message):
        read(reader)


def test_truth_is_no_whole_number():
    assert is_whole(0) and not is_whole(True) and not is_whole(1.0) and not is_whole(3, most=2)


def test_rows_have_a_name_each_in_the_order_of_their_ids():
    names, notes = row_names({"b": 1, "a": 0, "again": 1, "3": 2}, 4, "speaker", "the file")
    assert names == ["a", "b", "3", "id 3"] and len(notes) == 2
    with pytest.raises(ValueError, match="gives the speaker 'x' the id 4; with 4 of them it must be 0 to 3"):
        row_names({"x": 4}, 4, "speaker", "the file")


def test_repeated_keys_are_reported(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1, "b": {"c": 1, "c": 2}}')
    found = inspect_json(tmp_path / "a.json")
    assert found.table == {"a": 1, "b": {"c": 2}} and found.repeated == ("c",)
    assert inspect_json(tmp_path / "none.json").table is None


def test_a_file_that_says_nothing_agrees_and_another_value_does_not(tmp_path):
    check_agreement([("a", None, 3), ("b", [1, 2], (1, 2))], tmp_path)
    with pytest.raises(ValueError, match="`a` in .* is 4, but the weights have 3"):
        check_agreement([("a", 4, 3)], tmp_path)
