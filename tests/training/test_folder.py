"""A table and its recordings become rows; what cannot be read in one way only is an error that says where."""

import pytest

from hf_vits.training import read_folder

pytest.importorskip("datasets")
HEADED = 'file_name,text,speaker\nb.wav,Be.,bea\na.wav,"Ah, ""so"".",ada\nsub/c.wav,See.,cem\n'
BARS = "LJ1|Dr. A|Doctor A\nLJ2|Be.|Be.\n\nLJ3|See|\n"


@pytest.fixture
def make_folder(tmp_path):
    def make(table, name="metadata.csv", held_out=None, encoding="utf-8"):
        (tmp_path / name).write_bytes(table.encode(encoding))
        if held_out is not None:
            (tmp_path / "heldout.txt").write_text(held_out)
        return tmp_path

    return make


def rows_of(data, folder):
    return [{**row, "audio": row["audio"]["path"].removeprefix(f"{folder}/")} for row in data]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_with_a_header_gives_a_row_for_each_recording_with_all_its_columns(make_folder, end):
    folder = make_folder("\ufeff" + HEADED.replace("\n", end))
    data, held_out = read_folder(folder)
    assert held_out is None
    assert rows_of(data, folder) == [
        {"audio": "b.wav", "text": "Be.", "speaker": "bea"},
        {"audio": "a.wav", "text": 'Ah, "so".', "speaker": "ada"},
        {"audio": "sub/c.wav", "text": "See.", "speaker": "cem"},
    ]


def test_a_table_of_json_lines_gives_a_row_for_each_with_all_their_fields(make_folder):
    lines = ['{"file_name": "a.wav", "text": "Ah, so."}', "", '{"file_name": "b.wav", "text": "Bé.", "seconds": 1.5}']
    folder = make_folder("\r\n".join(lines), name="metadata.jsonl", held_out="a.wav")
    data, held_out = read_folder(folder)
    assert rows_of(data, folder) == [{"audio": "b.wav", "text": "Bé.", "seconds": 1.5}]
    assert rows_of(held_out, folder) == [{"audio": "a.wav", "text": "Ah, so.", "seconds": None}]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a.wav|Ah.", "line 2, is not JSON"),
        ("[1]", r"line 2, is '\[1\]'; it must be an object of file_name and text"),
        ('{"file_name": "a.wav"}', "line 2, is .*file_name and text"),
        ('{"file_name": "a.wav", "text": 5}', "both strings"),
        ("[" * 100_000, "line 2, is not JSON"),
    ],
)
def test_a_line_that_is_no_row_is_an_error_that_says_which(make_folder, line, told):
    with pytest.raises(ValueError, match=told):
        read_folder(make_folder('{"file_name": "b.wav", "text": "Be."}\n' + line, name="metadata.jsonl"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_table_of_ljspeech_gives_the_normalised_text_where_there_is_one(make_folder, end):
    folder = make_folder(BARS.replace("\n", end))
    data, _ = read_folder(folder)
    assert rows_of(data, folder) == [
        {"audio": "wavs/LJ1.wav", "text": "Doctor A"},
        {"audio": "wavs/LJ2.wav", "text": "Be."},
        {"audio": "wavs/LJ3.wav", "text": "See"},
    ]


def test_quotation_marks_between_bars_are_letters_like_any_other(make_folder):
    data, _ = read_folder(make_folder('LJ1|"Ah|"Ah\nLJ2|so" he|so" he\n', name="metadata.txt"))
    assert list(data["text"]) == ['"Ah', 'so" he']


def test_recordings_named_in_heldout_txt_are_held_out_and_all_others_are_not(make_folder):
    folder = make_folder(HEADED, held_out="a.wav\r\nsub/c.wav \n\n")
    data, held_out = read_folder(folder)
    assert [row["text"] for row in data] == ["Be."]
    assert [row["text"] for row in held_out] == ['Ah, "so".', "See."]


def test_another_list_of_held_out_recordings_takes_the_place_of_heldout_txt(make_folder, tmp_path):
    folder = make_folder(HEADED, held_out="a.wav")
    (tmp_path / "other.txt").write_text("b.wav")
    _, held_out = read_folder(folder, tmp_path / "other.txt")
    assert list(held_out["text"]) == ["Be."]


def test_held_out_names_that_no_row_has_are_an_error_that_shows_how_names_look(make_folder):
    with pytest.raises(FileNotFoundError, match=r"2 held-out.*first is 'LJ1'.*such as 'wavs/LJ1.wav'"):
        read_folder(make_folder(BARS, held_out="LJ1\nLJ2\nwavs/LJ3.wav"))


def test_nothing_left_to_train_on_is_an_error(make_folder):
    with pytest.raises(ValueError, match="All 3 recordings.*some must be left"):
        read_folder(make_folder(HEADED, held_out="a.wav\nb.wav\nsub/c.wav"))


def test_a_folder_without_a_table_is_an_error_that_says_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="metadata.csv, a table with the columns file_name and text"):
        read_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere.txt"):
        (tmp_path / "metadata.csv").write_text(HEADED)
        read_folder(tmp_path, tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("file,text\na.wav,Ah.\n", "begins with 'file,text'.*file_name and text"),
        ("", "begins with ''"),
        ("file_name,txt\na.wav,Ah.\n", r"no column \['text'\]; its columns are \['file_name', 'txt'\]"),
        ("file_name|text\na.wav|Ah.\n", r"no column \['file_name', 'text'\]; its columns are \['file_name\|text'\]"),
        ("file_name,text\n", "no rows"),
        ("file_name,text\na.wav,Ah.\nb.wav,Oh, no.\n", "line 3, has more cells.*quotation marks"),
        ('file_name,text\na.wav,"Ah.\nb.wav,Oh.\n', "after line 1: .*quotation marks"),
        ("LJ1|Ah|Ah\nLJ2 Oh\n", "line 2, is 'LJ2 Oh'.*name|text"),
    ],
)
def test_a_table_that_would_lose_words_or_columns_is_an_error_that_says_where(make_folder, table, told):
    with pytest.raises(ValueError, match=told):
        read_folder(make_folder(table))


def test_a_table_in_another_encoding_is_an_error_that_says_so(make_folder):
    with pytest.raises(ValueError, match="metadata.csv is not in UTF-8"):
        read_folder(make_folder("file_name,text\na.wav,Gr\xfc\xdfe.\n", encoding="latin-1"))


def test_cells_that_a_row_lacks_are_empty(make_folder):
    data, _ = read_folder(make_folder("text,file_name,speaker\nAh.\n,b.wav,bea\n"))
    assert list(data["text"]) == ["Ah.", ""] and list(data["speaker"]) == ["", "bea"]
