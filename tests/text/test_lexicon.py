"""Lexicons: which entry counts where, and errors that name the line."""

import pytest

from hf_vits.text.lexicon import FILE, Lexicon, user_lexicon


def read(text, entries, voice="en-us"):
    """The text with the readings in place of the words."""
    parts, position = [], 0
    for start, end, entry in Lexicon.of(entries).matches(text, voice):
        parts += [text[position:start], entry.reading]
        position = end
    return "".join([*parts, text[position:]])


def table(folder, *lines, name="words.tsv"):
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_only_whole_words_are_replaced():
    assert read("The cat concatenates a cat's cats.", {"cat": "dog"}) == "The dog concatenates a dog's cats."


def test_small_letters_stand_for_any_case_and_capitals_for_themselves():
    assert read("polish POLISH Polish", {"polish": "rub", "Polish": "from Poland"}) == "rub rub from Poland"
    assert read("us US Us", {"US": "America"}) == "us America Us"


def test_the_longest_entry_counts_also_over_other_white_space():
    words = {"New York Times": "the paper", "New": "old", "New York": "the city"}
    assert read("New\nYork  Times, New York, New Jersey", words) == "the paper, the city, old Jersey"


def test_words_with_signs_are_found():
    assert read("C++, C and .NET (C++)", {"C++": "see plus plus", ".NET": "dot net"}) == (
        "see plus plus, C and dot net (see plus plus)"
    )


def test_a_chinese_word_is_found_within_others():
    assert read("我住在重庆市", {"重庆": "[[a]]"}, "cmn") == "我住在[[a]]市"


def test_an_entry_of_another_language_does_not_apply(tmp_path):
    path = table(tmp_path, "gift\tpresent\ten", "gift\tpoison\tde", "wow\tooh", "lift\televator\ten-us")
    assert read("gift wow lift", path, "en-us") == "present ooh elevator"
    assert read("gift wow lift", path, "en-gb") == "present ooh lift"
    assert read("gift wow lift", path, "de") == "poison ooh lift"


def test_the_last_of_several_lexicons_counts():
    both = Lexicon.of({"gif": "jiff", "route": "root"}) + Lexicon.of({"gif": "giff"})
    assert read("gif route", both) == "giff root"


def test_a_table_is_read_back_as_it_was_written(tmp_path):
    lexicon = Lexicon.of(table(tmp_path, "# names", "Nguyen\t/wˈɪn/", "", "gif\tjiff\ten", "née\t[[nˈeɪ]]"))
    assert [entry[:3] for entry in lexicon.entries] == [
        ("Nguyen", "[[wˈɪn]]", ""),
        ("gif", "jiff", "en"),
        ("née", "[[nˈeɪ]]", ""),
    ]
    again = tmp_path / FILE
    again.write_text(lexicon.table(), encoding="utf-8")
    assert [entry[:3] for entry in Lexicon.of(again).entries] == [entry[:3] for entry in lexicon.entries]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("alone", "1 columns"),
        ("a\tb\ten\tmore", "4 columns"),
        ("\tb", "empty word"),
        ("a\t ", "1 columns|empty"),
        ("a\tb\tenglish!", "language 'english!'"),
        ("a\t[[]]", "no phonemes"),
        ("a\tsay [[a]]", "mixes phonemes and words"),
        ("[[a]]\tb", "phonemes already"),
        ("first\tb", "on line 1 too"),
    ],
)
def test_a_wrong_line_is_an_error_with_its_number(line, message, tmp_path):
    path = table(tmp_path, "first\tword", line)
    with pytest.raises(ValueError, match=f"words.tsv, line 2.*({message})"):
        Lexicon.of(path)


def test_what_is_no_lexicon_is_an_error(tmp_path):
    (tmp_path / "latin").write_bytes(b"caf\xe9\tb\n")
    with pytest.raises(ValueError, match="not UTF-8"):
        Lexicon.of(tmp_path / "latin")
    with pytest.raises(FileNotFoundError, match="no file"):
        Lexicon.of(tmp_path / "none.tsv")
    with pytest.raises(ValueError, match="a file or a dictionary"):
        Lexicon.of(3)
    with pytest.raises(ValueError, match="The entry 'a' has an empty"):
        Lexicon.of({"a": ""})


def test_the_users_lexicon_is_in_the_folder_of_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_lexicon() == tmp_path / "hf_vits" / "lexicon.tsv"
