"""A table and its recordings become rows; what cannot be read in one way only is an error that says where."""

import pytest

from hf_vits.data.load import load_data
from hf_vits.training import Columns, read_folder

pytest.importorskip("datasets")
HEADED = 'file_name,text,speaker\nb.wav,Be.,bea\na.wav,"Ah, ""so"".",ada\nsub/c.wav,See.,cem\n'
BARS = "LJ1|Dr. A|Doctor A\nLJ2|Be.|Be.\n\nLJ3|See|\n"


@pytest.fixture
def make_folder(tmp_path):
    def make(table, name="metadata.csv", eval_list=None, encoding="utf-8"):
        (tmp_path / name).write_bytes(table.encode(encoding))
        if eval_list is not None:
            (tmp_path / "eval.txt").write_text(eval_list)
        return tmp_path

    return make


def rows_of(data, folder):
    """Rows without the place of each, which tests of their own look at."""
    rows = [{**row, "audio": row["audio"]["path"].removeprefix(f"{folder}/")} for row in data]
    return [{name: value for name, value in row.items() if name != "table_line"} for row in rows]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_with_a_header_gives_a_row_for_each_recording_with_all_its_columns(make_folder, end):
    folder = make_folder("\ufeff" + HEADED.replace("\n", end))
    data, evaluation = read_folder(folder)
    assert evaluation is None
    assert rows_of(data, folder) == [
        {"audio": "b.wav", "text": "Be.", "speaker": "bea"},
        {"audio": "a.wav", "text": 'Ah, "so".', "speaker": "ada"},
        {"audio": "sub/c.wav", "text": "See.", "speaker": "cem"},
    ]


def test_a_table_of_json_lines_gives_a_row_for_each_with_all_their_fields(make_folder):
    lines = ['{"file_name": "a.wav", "text": "Ah, so."}', "", '{"file_name": "b.wav", "text": "Bé.", "seconds": 1.5}']
    folder = make_folder("\r\n".join(lines), name="metadata.jsonl", eval_list="a.wav")
    data, evaluation = read_folder(folder)
    assert rows_of(data, folder) == [{"audio": "b.wav", "text": "Bé.", "seconds": 1.5}]
    assert rows_of(evaluation, folder) == [{"audio": "a.wav", "text": "Ah, so.", "seconds": None}]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.wav|Ah.", "line 2, is not JSON"),
        ("[1]", r"line 2, is '\[1\]'; it must be an object of file_name and text"),
        ('{"file_name": "a.wav"}', "line 2, is .*file_name and text"),
        ('{"file_name": "a.wav", "text": 5}', "both strings"),
        ("[" * 100_000, "line 2, is not JSON"),
    ],
)
def test_a_line_that_is_no_row_is_an_error_that_says_which(make_folder, line, expected):
    with pytest.raises(ValueError, match=expected):
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


def test_recordings_named_in_eval_txt_are_for_evaluation_and_all_others_are_not(make_folder):
    folder = make_folder(HEADED, eval_list="a.wav\r\nsub/c.wav \n\n")
    data, evaluation = read_folder(folder)
    assert [row["text"] for row in data] == ["Be."]
    assert [row["text"] for row in evaluation] == ['Ah, "so".', "See."]


def test_another_evaluation_list_takes_the_place_of_eval_txt(make_folder, tmp_path):
    folder = make_folder(HEADED, eval_list="a.wav")
    (tmp_path / "other.txt").write_text("b.wav")
    _, evaluation = read_folder(folder, tmp_path / "other.txt")
    assert list(evaluation["text"]) == ["Be."]


@pytest.mark.parametrize("name", ["eval.txt", "heldout.txt"])
def test_an_evaluation_list_in_the_folder_is_read_by_either_name(make_folder, name):
    folder = make_folder(HEADED)
    (folder / name).write_text("b.wav")
    training, evaluation = read_folder(folder)
    assert list(evaluation["text"]) == ["Be."] and "Be." not in list(training["text"])


def test_names_of_the_evaluation_list_that_no_row_has_are_an_error_that_shows_how_names_look(make_folder):
    with pytest.raises(
        FileNotFoundError, match=r"2 recordings of the evaluation list.*first is 'LJ1'.*such as 'wavs/LJ1.wav'"
    ):
        read_folder(make_folder(BARS, eval_list="LJ1\nLJ2\nwavs/LJ3.wav"))


def test_nothing_left_to_train_on_is_an_error(make_folder):
    with pytest.raises(ValueError, match="All 3 recordings.*some must be left"):
        read_folder(make_folder(HEADED, eval_list="a.wav\nb.wav\nsub/c.wav"))


def test_a_folder_without_a_table_is_an_error_that_says_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="metadata.csv, a table with the columns file_name and text"):
        read_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere.txt"):
        (tmp_path / "metadata.csv").write_text(HEADED)
        read_folder(tmp_path, tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("file,text\na.wav,Ah.\n", "begins with 'file,text'.*file_name and text"),
        ("", "begins with ''"),
        ("file_name,txt\na.wav,Ah.\n", r"no column 'text'; its columns are 'file_name', 'txt'"),
        ("file_name|txt\na.wav|Ah.\n", r"no column 'text'; its columns are 'file_name', 'txt'"),
        ("file_name,text,text\na.wav,Ah,Oh\n", r"several columns called \['text'\]"),
        ("file_name\ttext\na.wav\tAh\tOh\n", "line 2, has more cells"),
        ("LJ1|anna|Ah so.\nLJ2|bob|Oh|no.\nLJ3|bob|Oh no.\n", "Line 2 has another number of columns.*which have 3"),
        ("id|text|speaker\nLJ1|Ah so.|anna\n", "looks like a header"),
        ("file_name,text\n", "no rows"),
        ("file_name,text\na.wav,Ah.\nb.wav,Oh, no.\n", "line 3, has more cells.*quotation marks"),
        ('file_name,text\na.wav,"Ah.\nb.wav,Oh.\n', "after line 1: .*quotation marks"),
        ("LJ1|Ah|Ah\nLJ2 Oh\n", "line 2, is 'LJ2 Oh'.*name|text"),
    ],
)
def test_a_table_that_would_lose_words_or_columns_is_an_error_that_says_where(make_folder, table, expected):
    with pytest.raises(ValueError, match=expected):
        read_folder(make_folder(table))


def test_a_table_in_another_encoding_is_an_error_that_says_so(make_folder):
    with pytest.raises(ValueError, match="metadata.csv is not in UTF-8"):
        read_folder(make_folder("file_name,text\na.wav,Gr\xfc\xdfe.\n", encoding="latin-1"))


def test_cells_that_a_row_lacks_are_empty(make_folder):
    data, _ = read_folder(make_folder("text,file_name,speaker\nAh.\n,b.wav,bea\n"))
    assert list(data["text"]) == ["Ah.", ""] and list(data["speaker"]) == ["", "bea"]


SPOKEN = {"wavs/1.wav": ("Good day.", "anna"), "wavs/2.wav": ("Good night to you.", "bob")}
LAYOUTS = {
    "Piper's": "1|anna|Good day.\n2|bob|Good night to you.\n",
    "text first": "1|Good day.|anna\n2|Good night to you.|bob\n",
    "endings of files": "1.wav|anna|Good day.\n2.wav|bob|Good night to you.\n",
    "folders of files": "wavs/1.wav|anna|Good day.\nwavs/2.wav|bob|Good night to you.\n",
    "blanks": "1 | anna | Good day. \n 2 |bob|  Good night to you.\n\n",
    "byte order mark and line ends": "\ufeff1|anna|Good day.\r\n2|bob|Good night to you.\r\n",
    "tabs": "1\tanna\tGood day.\n2\tbob\tGood night to you.\n",
    "languages": "1|anna|en|Good day.\n2|bob|en-US|Good night to you.\n",
    "two forms of a text": "1|anna|Gd day.|Good day.\n2|bob|Good night 2 you.|Good night to you.\n",
    "two forms, speaker last": "1|Good day.|Good day.|anna\n2|Good night 2 you.|Good night to you.|bob\n",
    "speaker first": "anna|1.wav|Good day.\nbob|2.wav|Good night to you.\n",
    "an empty column": "1||anna|Good day.\n2||bob|Good night to you.\n",
    "header": "file_name|speaker|text\n1|anna|Good day.\n2.wav|bob|Good night to you.\n",
    "header between tabs": "text\tfile_name\tspeaker\nGood day.\t1\tanna\nGood night to you.\t2.wav\tbob\n",
    "header between commas": "file_name, text, speaker\n1.wav, Good day., anna\n2, Good night to you., bob\n",
}


@pytest.fixture
def recordings(tmp_path):
    for name in SPOKEN:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_table_of_several_speakers_gives_text_and_speaker_of_each_recording(make_folder, recordings, layout):
    folder = make_folder(LAYOUTS[layout])
    rows = rows_of(read_folder(folder)[0], folder)
    assert {row["audio"]: (row["text"], row["speaker"]) for row in rows} == SPOKEN


@pytest.mark.parametrize("form", ["1", "1.wav", "wavs/1.wav", "wavs/1", "1.mp3"])
@pytest.mark.parametrize("file", ["wavs/1.wav", "wavs/1.flac"])
def test_a_recording_is_found_with_and_without_its_folder_and_ending(make_folder, tmp_path, form, file):
    (tmp_path / "wavs").mkdir()
    (tmp_path / file).touch()
    folder = make_folder(f"{form}|Good day.\n")
    assert rows_of(read_folder(folder)[0], folder) == [{"audio": file, "text": "Good day."}]


UNCLEAR = {
    "prosody": "1|Good day.|H* L-L%\n2|Good night.|L* H-H%\n",
    "repeated prosody": "".join(f"{n}|Number {n}.|{'H* L-L%' if n % 2 else 'L* H-H%'}\n" for n in range(9)),
    "a translation": "1|Good day.|Guten Tag.\n2|Good night.|Gute Nacht.\n",
    "durations": "1|Good day.|2.31\n2|Good night.|3.55\n",
    "two columns of names": "1|anna|calm|Good day.\n2|bob|sad|Good night.\n",
    "one-word texts": "1|anna|Yes\n2|bob|No\n",
    "a number for each clip": "".join(f"{n}|x{n}|Number {n}.\n" for n in range(9)),
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_columns_that_are_not_clear_are_shown_with_the_setting_that_names_them(make_folder, kind):
    with pytest.raises(ValueError, match="what its . columns are is not clear.*column 2: '.*`table_columns`, such as"):
        read_folder(make_folder(UNCLEAR[kind]))


def test_columns_are_what_the_setting_says(make_folder):
    folder = make_folder(UNCLEAR["two columns of names"])
    data, _ = load_data(str(folder), table_columns=["file_name", "_", "speaker", "text"])
    assert [(row["speaker"], row["text"]) for row in data] == [("calm", "Good day."), ("sad", "Good night.")]
    folder = make_folder('1,anna,"Good, day."\n')
    data, _ = read_folder(folder, table_columns=["file_name", "speaker", "text"])
    assert rows_of(data, folder) == [{"audio": "wavs/1.wav", "speaker": "anna", "text": "Good, day."}]


def test_names_are_distinguished_from_one_word_texts_by_being_repeated(make_folder):
    words = [f"word{number}" for number in range(10)]
    data, _ = read_folder(make_folder("".join(f"{word}|{word}|p{len(word) % 2}\n" for word in words)))
    assert list(data["text"]) == words and set(data["speaker"]) == {"p1"}


def test_texts_that_all_speakers_say_are_texts(make_folder):
    """As in VCTK, where a sentence comes 109 times."""
    rows = [(f"p{who}_{n}", f"p{who}", text) for who in range(20) for n, text in enumerate(["Ask her.", "Six spoons"])]
    data, _ = read_folder(make_folder("".join("|".join(row) + "\n" for row in rows)))
    assert list(data["speaker"]) == [who for _, who, _ in rows] and list(data["text"]) == [text for *_, text in rows]


def test_each_row_says_where_in_the_table_it_is(make_folder):
    data, evaluation = read_folder(make_folder('file_name,text\n\na.wav,"Ah,\nso"\nb.wav,Be.\n', eval_list="a.wav"))
    assert list(data["table_line"]) == ["metadata.csv, line 5"]
    assert list(evaluation["table_line"]) == ["metadata.csv, line 3"]


def test_another_column_of_texts_can_be_named(make_folder):
    folder = make_folder("file_name,sentence\na.wav,Ah.\n")
    assert list(load_data(str(folder), columns=Columns(text="sentence"))[0]["sentence"]) == ["Ah."]


def test_recordings_are_found_by_their_bare_names_when_their_endings_are_in_capitals(tmp_path):
    (tmp_path / "wavs").mkdir()
    for name in ("one.WAV", "two.WAV"):
        (tmp_path / "wavs" / name).touch()
    (tmp_path / "metadata.csv").write_text("one|Good day.\ntwo|Hello.\n")
    rows, _ = read_folder(tmp_path)
    assert [row["audio"]["path"] for row in rows] == [str(tmp_path / "wavs" / name) for name in ("one.WAV", "two.WAV")]
