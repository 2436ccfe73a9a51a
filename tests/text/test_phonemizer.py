"""Phonemes in both styles; espeak-ng's own phonemes are not tested."""

import os
import subprocess
import sys
import unicodedata

import pytest

from hf_vits.text.espeak_chunks import EspeakError
from hf_vits.text.frontend import FrontEnd
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.text.phonemizer import upstream_phonemes

pytest.importorskip("espeakng_loader")

PIPER = FrontEnd(phoneme_style="piper", normalize=False, phoneme_language="en-us")
ORIGINAL = FrontEnd()

# Phonemes that piper-tts 1.8.0 gave, its sentences joined by a space.
FROM_PIPER = {
    "Hello world.": "həlˈoʊ wˈɜːld.",
    "Hello, world! How are you? I'm fine; thanks: really.": "həlˈoʊ, wˈɜːld! hˈaʊ ɑːɹ juː? aɪm fˈaɪn; θˈæŋks: ɹˈiəli.",
    '"Hello," he said, "how are you?"': "həlˈoʊ, hiː sˈɛd, hˈaʊ ɑːɹ juː?",
    "Mr. Jones, Mrs. Smith.": "mˈɪstɚ. dʒˈoʊnz, mˈɪsɪz. smˈɪθ.",
    "He (the man), left.": "hiː ðə mˈæn, lˈɛft.",
    "(Really?) Maybe.": "ɹˈiəli? mˈeɪbiː.",
    "Wow!!! Amazing...!": "wˈaʊ! ɐmˈeɪzɪŋ",
    "Wait -- what? No; never!": "wˈeɪt wˈʌt? nˈoʊ; nˈɛvɚ!",
    "He stopped... then he went on.": "hiː stˈɑːptðˈɛn hiː wɛnt ˈɔn.",
    "Paragraph one.\n\nParagraph two.": "pˈæɹəɡɹˌæf wˌʌn pˈæɹəɡɹˌæf tˈuː.",
    "Line one,\nline two": "lˈaɪn wˌʌn, lˈaɪn tˈuː",
    "End with comma,": "ˈɛnd wɪð kˈɑːmə, ",
    "It cost $42.50, in 1999.": "ɪt kˈɔst dˈɑːlɚ fˈɔːɹɾi tˈuː pɔɪnt fˈaɪv zˈiəɹoʊ, ɪn nˈaɪntiːnhˈʌndɹɪd nˈaɪnti nˈaɪn.",
    "[[ h ə l ˈoʊ ]] world": "h ə l ˈoʊ wˈɜːld",
    "I said “no.” Then I left": "aɪ sˈɛd nˈoʊ. ðˈɛn aɪ lˈɛft",
    "The house — the big one — is red.": "ðə hˈaʊs; ðə bˈɪɡ wˌʌn; ɪz ɹˈɛd.",
    "5 – 6": "fˈaɪv; sˈɪks",
    "stop; — two": "stˈɑːp; tˈuː",
    "one... — two": "wˌʌntˈuː",
    "The!” '": "ðə!",
    "one। — two": "wˌʌn tˈuː",
}
OF_OTHER_LANGUAGES = {
    ("ar", "مرحبا، كيف حالك؟ جيد"): "mrħbˈaː, kˈajfa ħˈaːlik? dʒˈajjid",
    ("hi", "नमस्ते। आप कैसे हैं?"): "nəmˈʌsteː ˌaːp kˈɛːseː hɛ̃?",
    ("cmn", "你好。世界"): "ni2χˈɑu2 s.ˈi.5 tɕˈiɛ5",
}
# What piper-tts 1.8.0 writes between the clauses "one" and "two" for each mark; a space where it begins a sentence.
BETWEEN = {
    ",،՝፣᠂": ", ",
    ";؛፤\u0387–—": "; ",
    ":፥፦": ": ",
    "۔።᠃｡": ". ",
    "?؟፧\u037e": "? ",
    "!": "! ",
    "。！？．।॥։෴།༎჻፨": " ",
    "…": "",
}


def symbols(front_end, text):
    return front_end.tokens(TextWithOffsets.original(text, track=False)).text


def spoken_words(front_end, text):
    """Pair the phonemes of each word with its text; words with the same span are joined."""
    result = front_end.tokens(TextWithOffsets.original(text, track=True))
    groups = []
    for symbol, span in zip(result.text, result.spans, strict=True):
        if groups and groups[-1][1] == span:
            groups[-1][0] += symbol
        else:
            groups.append([symbol, span])
    return {text[start:end]: word for word, (start, end) in groups if word.strip(" .,;:!?")}


@pytest.mark.parametrize("text", FROM_PIPER)
def test_piper_style_equals_piper(text):
    assert symbols(PIPER, text) == FROM_PIPER[text]


@pytest.mark.parametrize(("voice", "text"), OF_OTHER_LANGUAGES)
def test_piper_style_equals_piper_in_other_scripts(voice, text):
    front_end = FrontEnd(phoneme_style="piper", normalize=False, phoneme_language=voice)
    assert symbols(front_end, text) == unicodedata.normalize("NFC", OF_OTHER_LANGUAGES[voice, text])


@pytest.mark.parametrize("mark", "".join(BETWEEN))
@pytest.mark.parametrize("pattern", ["one{} two", "one {} two"])
def test_every_mark_that_ends_a_clause_is_written_as_by_piper(mark, pattern):
    between = next(output for marks, output in BETWEEN.items() if mark in marks)
    assert symbols(PIPER, pattern.format(mark)) == f"wˌʌn{between}tˈuː"


@pytest.mark.parametrize("text", ["one ¡two", "one、two", "one，two", "one； two", "one： two"])
def test_words_are_not_joined_where_piper_joins_them(text):
    assert symbols(PIPER, text) == "wˌʌn tˈuː"


@pytest.mark.parametrize(("text", "expected"), [("!", "ˈɛkskləmˌeɪʃən"), (":", "kˈoʊlən"), ("(!)", "ˈɛkskləmˌeɪʃən")])
def test_a_mark_that_is_read_by_name_is_not_written_too(text, expected):
    assert symbols(PIPER, text) == expected  # piper-tts 1.8.0 gives this


def test_words_are_not_joined_where_espeak_divides_a_long_clause():
    assert set(symbols(PIPER, "word " * 500).split()) == {"wˈɜːd"}


def test_two_full_stops_at_the_end_do_not_change_the_next_text():
    symbols(PIPER, "house..")
    assert symbols(PIPER, "house") == "hˈaʊs"


def test_vits_style_keeps_every_mark_where_it_was():
    assert symbols(ORIGINAL, "Hello… “world”, (now) ; a!") == 'həlˈoʊ... "wˈɜːld", nˈaʊ ; ˈeɪ!'


def test_blank_lines_are_removed():
    assert symbols(ORIGINAL, " \n a\n \n\nb\n  ") == "ˈeɪ bˈiː"


def test_the_original_cleaner_applies_only_to_english():
    assert symbols(ORIGINAL, "Dr. Wu") == symbols(ORIGINAL, "doctor wu")
    assert symbols(FrontEnd(cleaner="none"), "Dr. Wu") != symbols(ORIGINAL, "doctor wu")
    german = FrontEnd(language="deu")
    assert symbols(german, "Schöne Grüße") == symbols(FrontEnd(phoneme_language="de"), "schöne grüße")
    assert symbols(german, "schöne") != symbols(german, "schone")


def test_the_english_voice_is_american_unless_declared():
    assert FrontEnd().voice == FrontEnd(language="eng").voice == FrontEnd(language="en").voice == "en-us"
    assert symbols(FrontEnd(phoneme_language="en-gb"), "bath") != symbols(ORIGINAL, "bath")


@pytest.mark.parametrize("style", ["vits", "piper"])
def test_phoneme_blocks_are_not_changed(style):
    front_end = FrontEnd(phoneme_style=style, phoneme_language="en-us")
    assert symbols(front_end, "say [[ Hɛˈloʊ ]] now") == "sˈeɪ Hɛˈloʊ nˈaʊ"
    assert symbols(front_end, "[[ə]]") == "ə"


def test_each_phoneme_spans_its_word_also_if_several_are_pronounced_as_one():
    text = "It cost $20 & one of the 42 men met Dr. Wu, at 10:30 — “out of” it."
    words = spoken_words(ORIGINAL, text)
    assert words["It"] == "ɪt"
    assert words["42"] == "fˈɔːɹɾi tˈuː"
    assert words["the"] == "ðə"
    assert words["Dr."] == "dˈɑːktɚ"
    assert words["$20"] == "dˈɑːlɚ twˈɛnti"
    assert words["30"] == "θˈɜːɾi"
    assert (words["out"], words["of"]) == ("ˌaʊɾ", "əv")
    assert words["it"] == "ɪt"


def test_piper_spans_align_words_across_clauses():
    text = "Mr. Jones & 3 others: as if in the way, of a man!"
    words = spoken_words(PIPER, text)
    assert words == {
        "Mr": "mˈɪstɚ",
        "Jones": "dʒˈoʊnz",
        "&": "ænd",
        "3": "θɹˈiː",
        "others": "ˈʌðɚz",
        "as": "æz",
        "if": "ɪf",
        "in": "ɪn",
        "the": "ðə",
        "way": "wˈeɪ",
        "of": "əv",
        "a": "ə",
        "man": "mˈæn",
    }


def test_a_separate_mark_is_not_part_of_the_word_before():
    french = FrontEnd(phoneme_language="fr-fr", phoneme_style="piper", normalize=False)
    text = "Qu'est-ce que c'est ? Rien."
    assert spoken_words(french, text) == {"Qu'est-ce": "kɛs", "que": "kˌə", "c'est": "sˈɛ", "Rien": "ʁiˈɛ̃"}
    result = french.tokens(TextWithOffsets.original(text, track=True))
    assert result.spans[result.text.index("?")] == (20, 21)


def test_marks_of_other_scripts_are_not_part_of_words():
    hindi = FrontEnd(phoneme_language="hi", phoneme_style="piper", normalize=False)
    assert list(spoken_words(hindi, "नमस्ते। आप कैसे हैं?")) == ["नमस्ते", "आप", "कैसे", "हैं"]
    chinese = FrontEnd(phoneme_language="cmn", phoneme_style="piper", normalize=False)
    assert list(spoken_words(chinese, "你好，世界。今天很多！")) == list("你好世界今天很多")


def test_each_chinese_character_has_its_syllable_also_if_it_has_several_readings():
    chinese = FrontEnd(phoneme_language="cmn", phoneme_style="piper", normalize=False)
    bank, walk = (spoken_words(chinese, text)["行"] for text in ("他在银行。", "他行走。"))
    assert bank.startswith("χ") and walk.startswith("ɕ")
    mixed = spoken_words(chinese, "我有2次Beijing的机会。")
    assert list(mixed) == ["我", "有", "2", "次", "Beijing", "的", "机", "会"] and mixed["2"] == "ˈər5"


def test_long_numbers_have_spans_of_their_own():
    words = spoken_words(PIPER, "123456789 0.001 -5")
    assert list(words) == ["123456789", "0.001", "5"]
    assert list(spoken_words(PIPER, "He has 123456789 of the 0.001 -5 and 1,234,567,890 more")) == [
        *["He", "has", "123456789", "of", "the", "0.001", "5", "and", "1,234,567,890", "more"]
    ]


@pytest.mark.filterwarnings("ignore:Surrogate")  # Unidecode's word on half a character
@pytest.mark.parametrize("style", ["vits", "piper"])
@pytest.mark.parametrize(
    "text",
    [
        "👍👍 a ❤️, 👨‍👩‍👧b",
        "(½)",
        "1234567890123456 " * 12 + "end",
        "'s" * 68,
        "",
        " ",
        "...",
        "\n\n",
        "a\n -\nb",
        "$",
        "[[ ]]",
        "a\0b",
        "\ud800 x",
        "日本 text.",
        "🙂",
        "a:£, b `",
    ],
)
def test_spans_cover_odd_texts_and_do_not_change_them(style, text):
    front_end = FrontEnd(phoneme_style=style, phoneme_language="en-us")
    result = front_end.tokens(TextWithOffsets.original(text, track=True))
    assert result.text == symbols(front_end, text)
    starts = [start for start, _ in result.spans]
    assert len(starts) == len(result.text)
    assert starts == sorted(starts)
    assert all(0 <= start <= end <= len(text) for start, end in result.spans)


@pytest.mark.parametrize("style", ["vits", "piper"])
def test_the_marks_of_a_change_of_language_are_removed(style):
    russian = FrontEnd(phoneme_style=style, phoneme_language="ru")
    assert symbols(russian, "привет hello") == "prʲivʲˈet həlˈəʊ"


def test_the_error_for_an_unknown_language_names_similar_ones():
    with pytest.raises(ValueError, match=r"no language 'en-uk'.*`en-us`.*voices\(\)"):
        symbols(FrontEnd(phoneme_language="en-uk"), "a")


@pytest.mark.parametrize(
    "text",
    [
        "Hello, world! It's 5 o'clock.",
        "",
        " \n\n ",
        "Line one,\n\nline (two) … “three”;\n",
        "déjà vu, привет 你好",
        "a.b.c. -- 1,234.5 & $3",
        "\n!\n?a",
        " no  more   than spaces ",
        "word " * 300,
        "1234567890123456 " * 12,
    ],
)
def test_upstream_phonemes_are_those_of_phonemizer(text):
    phonemizer = pytest.importorskip("phonemizer")
    upstream_phonemes("a")  # tells phonemizer where the library is
    expected = phonemizer.phonemize(
        text, language="en-us", backend="espeak", strip=True, preserve_punctuation=True, with_stress=True
    )
    assert upstream_phonemes(text).split() == expected.split()


def test_a_text_that_would_crash_transformers_is_an_error_that_names_it():
    pytest.importorskip("phonemizer")
    expected = upstream_phonemes("banana")
    with pytest.raises(EspeakError, match=r"crashed.*'s's's"):
        upstream_phonemes("He said " + "'s" * 68)
    assert upstream_phonemes("banana") == expected


def test_no_copy_of_the_library_stays_among_the_temporary_files(tmp_path):
    pytest.importorskip("phonemizer")
    code = """
from hf_vits.text.phonemizer import upstream_phonemes
try:
    upstream_phonemes("'s" * 68)
except ValueError as error:
    print(error)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert "crashed" in result.stdout
    assert os.listdir(tmp_path) == []
