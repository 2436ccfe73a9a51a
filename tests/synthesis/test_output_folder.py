"""Only the run that began a folder continues in it."""

import numpy as np
import pytest

from hf_vits.synthesis.output_folder import PER_FOLDER, STATE, OutputFolder

IDENTITY = {"voice": "a", "seed": 1, "dtype": "float32"}


@pytest.fixture
def folder(tmp_path):
    return OutputFolder(tmp_path / "speech")


def test_the_same_run_may_continue_and_the_error_of_another_names_what_differs(folder):
    folder.begin(IDENTITY)
    folder.begin(IDENTITY)
    with pytest.raises(ValueError, match="begun with other settings: seed 1, now 2. Give those again"):
        folder.begin({**IDENTITY, "seed": 2})
    with pytest.raises(ValueError, match="other settings: dtype 'float32', now 'bfloat16'. Give"):
        folder.begin({**IDENTITY, "voice": "rounded", "dtype": "bfloat16"})


def test_a_folder_of_somebody_else_and_a_file_are_refused(tmp_path):
    (tmp_path / "note.txt").touch()
    with pytest.raises(FileExistsError, match="not empty, and no run has begun it"):
        OutputFolder(tmp_path).begin(IDENTITY)
    with pytest.raises(FileExistsError, match="is a file"):
        OutputFolder(tmp_path / "note.txt").check()
    assert not (tmp_path / STATE).exists()


def test_a_run_removes_the_temporary_files_of_a_killed_one_and_nothing_else(folder):
    folder.begin(IDENTITY)
    kept = [folder.file_of(0), folder.path / "README.md"]
    left = [
        folder.file_of(0).with_name(".000001.flac-x"),
        folder.path / ".metadata.jsonl-x",
        folder.path / STATE / ".x",
    ]
    for file in (*kept, *left):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    folder.begin(IDENTITY)
    assert all(file.exists() for file in kept) and not any(file.exists() for file in left)


def test_files_are_divided_among_folders_and_damaged_ones_are_not_done(folder):
    assert folder.file_of(PER_FOLDER + 2).relative_to(folder.path).as_posix() == "audio/001/001002.flac"
    folder.write(3, np.zeros(500, np.float32), 1000)
    folder.file_of(4).write_bytes(b"damaged")
    assert folder.finished([3, 4, 5]) == {3: 0.5}


def test_a_card_that_somebody_wrote_is_kept(folder):
    folder.path.mkdir()
    card = folder.path / "README.md"
    folder.write_card("first MARK\n", "MARK")
    folder.write_card("second MARK\n", "MARK")
    assert card.read_text() == "second MARK\n"
    card.write_text("mine")
    folder.write_card("third MARK", "MARK")
    assert card.read_text() == "mine"
