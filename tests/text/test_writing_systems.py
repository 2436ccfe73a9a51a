"""Letters of other scripts; oracles: Unicode's CLDR for languages, espeak-ng for what it can read."""

import pytest

from hf_vits.text import espeak
from hf_vits.text.frontend import FrontEnd
from hf_vits.text.writing_systems import script_of, scripts_of, supported_scripts, too_many_other_letters

CODES = {
    "Latn": "Latin",
    "Cyrl": "Cyrillic",
    "Arab": "Arabic",
    "Deva": "Devanagari",
    "Beng": "Bengali",
    "Ethi": "Ethiopic",
    "Armn": "Armenian",
    "Grek": "Greek",
    "Mymr": "Myanmar",
    "Hans": "Han",
    "Hant": "Han",
    "Jpan": "Katakana",
    "Kore": "Hangul",
    "Geor": "Georgian",
    "Gujr": "Gujarati",
    "Guru": "Gurmukhi",
    "Hebr": "Hebrew",
    "Knda": "Kannada",
    "Mlym": "Malayalam",
    "Orya": "Oriya",
    "Sinh": "Sinhala",
    "Taml": "Tamil",
    "Telu": "Telugu",
    "Thai": "Thai",
}
ROMANIZED = {"chr", "hak"}  # in espeak, which names or skips the letters of their own scripts


def phonemes(voice, letters=frozenset()):
    return supported_scripts(FrontEnd(phoneme_language=voice), letters)


def test_every_voice_of_espeak_has_the_script_that_is_likely_for_its_language():
    likely = pytest.importorskip("babel.core").get_global("likely_subtags")
    known = 0
    for voice in espeak.voices():
        language = voice.split("-")[0]
        scripts = scripts_of(voice)
        assert scripts, voice
        tag = likely.get("zh" if language == "cmn" else language)
        if tag and language not in ROMANIZED:
            assert CODES[tag.split("_")[1]] in scripts, voice
            known += 1
    assert known > 120


WORDS = {
    "Latin": "banter",
    "Cyrillic": "барабан",
    "Arabic": "مرحبا سلام",
    "Hebrew": "שלום",
    "Han": "你好世界",
    "Hiragana": "こんにちは",
    "Thai": "สวัสดี",
    "Ethiopic": "ሰላም",
    "Myanmar": "မင်္ဂလာပါ",
}


@pytest.mark.parametrize("voice", ["en-us", "de", "ru", "sr", "ar", "he", "cmn", "yue", "ja", "ko", "th", "am", "my"])
def test_a_language_has_the_scripts_that_espeak_reads_but_not_letter_by_letter(voice):
    """A letter that is read by its name has several phonemes more than others."""
    for script, word in WORDS.items():
        pronounced = "".join(clause.phonemes for clause in espeak.clauses(word, voice))
        by_name = len(pronounced.translate(dict.fromkeys(map(ord, "ˈˌː ˑ")))) > 5 * len(word)
        if script in scripts_of(voice):
            assert not by_name, (voice, script, pronounced)
        elif by_name:
            assert phonemes(voice).count_others(word).total() >= len(set(word) - set(" ်္ဂာိီั")) // 2


@pytest.mark.parametrize(
    ("voice", "text"),
    [
        ("en-us", "A café, a naïve façade, Dvořák and Ærø cost 5 € – no, £3."),
        ("en-us", "5 µm, 3 Ω, πr², α-helix and Δt, 20 ℃ and №5; x̄ and ﬁne."),
        ("en-us", "1st ªº ™ ½ ʰ [[ həlˈoʊ βθχ ]] ① Ａ"),
        ("de", "Straße, Ärger und Œuvre"),
        ("vi", "Tiếng Việt rất hay"),
        ("ru", "Я купил iPhone 15 Pro и слушаю Spotify каждый день."),
        ("hi", "मैं WhatsApp पर हूँ।"),
        ("el", "Η λέξη email"),
        ("sr", "Добар дан. Dobar dan."),
        ("ja", "ひらがな と カタカナ"),
        ("cmn", "我用 Python 写程序。"),
        ("fa", "سلام دنیا"),
        ("tok", "Unknown language: привет"),
    ],
)
def test_ordinary_texts_of_a_language_have_no_letters_of_other_scripts(voice, text):
    found = phonemes(voice)
    assert found is None or not found.count_others(text)


@pytest.mark.parametrize(
    ("voice", "text", "others"),
    [
        ("en-us", "你好世界", "你好世界"),
        ("en-us", "He said привет to me.", "привет"),
        ("en-us", "αβγ", "αβγ"),
        ("en-us", "नमस्ते", "नमसत"),
        ("en-us", "cаt", "а"),  # Cyrillic a
        ("ru", "Hello there, my dear friend", "Hellothere,mydearfriend"),
        ("ja", "日本語です", "日本語"),  # espeak has no kanji
        ("ko", "漢字 한자", "漢字"),
        ("uk", "שלום", "שלום"),
    ],
)
def test_letters_of_other_scripts_are_counted(voice, text, others):
    found = phonemes(voice).count_others(text)
    assert set(found) == set(others) - {","}
    assert found.total() == sum(text.count(letter) for letter in found)
    assert all(letter in str(phonemes(voice).describe(found)) for letter in list(found)[:3])


def test_a_model_of_letters_supports_the_scripts_of_its_vocabulary():
    front_end = FrontEnd(phonemize=False, language="rus")
    russian = supported_scripts(front_end, frozenset("абвгд -.,"))
    assert russian.scripts == {"Cyrillic"}
    assert set(russian.count_others("да, ok")) == {"o", "k"}  # which are left out
    assert supported_scripts(front_end, frozenset("_ .")) is None


def test_a_romanized_model_supports_all_scripts_of_its_language():
    japanese = supported_scripts(FrontEnd(phonemize=False, is_uroman=True, language="jpn"), frozenset("abc"))
    assert not japanese.count_others("日本語です") and japanese.count_others("привет")
    assert supported_scripts(FrontEnd(phonemize=False, is_uroman=True), frozenset("abc")) is None


def test_a_name_in_a_long_text_does_not_make_it_one_of_another_script():
    english = phonemes("en-us")
    for text, is_other in {
        "In the long and cold winter of that year we met Иван in the old town near the river.": False,
        "We met Владимир": True,
        "你好世界": True,
        "Nothing of the kind": False,
        "123": False,
    }.items():
        assert too_many_other_letters(english.count_others(text), text) == is_other


@pytest.mark.parametrize(
    ("letter", "script"),
    [("a", "Latin"), ("Ж", "Cyrillic"), ("ក", "Khmer"), ("µ", None), ("1", None), ("ー", None), ("字", "Han")],
)
def test_scripts_have_unicodes_names(letter, script):
    assert script_of(letter) == script
