"""A path that does not exist is named with those that are similar."""

from hf_vits.conversion import suggestions
from hf_vits.conversion.suggestions import folder_entries, missing_path


def test_a_folder_of_a_similar_name_is_suggested_at_any_depth(tmp_path):
    (tmp_path / "my_voice" / "checkpoint-10").mkdir(parents=True)
    assert str(tmp_path / "my_voice") in missing_path(tmp_path / "my_vocie")
    assert str(tmp_path / "my_voice" / "checkpoint-10") in missing_path(tmp_path / "my_vocie" / "checkpoint-10")


def test_so_many_entries_of_a_folder_are_compared_and_none_of_what_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(suggestions, "MOST_ENTRIES", 3)
    for number in range(5):
        (tmp_path / f"{number}").touch()
    assert len(folder_entries(tmp_path)) == 3 and folder_entries(tmp_path / "0") == []
