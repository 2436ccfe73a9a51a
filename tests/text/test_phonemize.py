"""espeak-ng's own phonemes are taken as given; what is tested is what happens around them."""

import subprocess
import sys
import threading

import pytest

from hf_vits.text.front_end import FrontEnd
from hf_vits.text.tracked import TrackedText

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
}


def symbols(front_end, text):
    return front_end.symbols(TrackedText.original(text, track=False)).text


def spoken_words(front_end, text):
    """Each spoken word with what was written; words that share a span in one."""
    result = front_end.symbols(TrackedText.original(text, track=True))
    groups = []
    for symbol, span in zip(result.text, result.spans, strict=True):
        if groups and groups[-1][1] == span:
            groups[-1][0] += symbol
        else:
            groups.append([symbol, span])
    return {text[start:end]: spoken for spoken, (start, end) in groups if spoken.strip(" .,;:!?")}


@pytest.mark.parametrize("text", FROM_PIPER)
def test_piper_style_gives_what_piper_gives(text):
    assert symbols(PIPER, text) == FROM_PIPER[text]


def test_vits_style_keeps_every_mark_where_it_was():
    assert symbols(ORIGINAL, "Hello… “world”, (now) ; a!") == 'həlˈoʊ... "wˈɜːld", nˈaʊ ; ˈeɪ!'


def test_blank_lines_leave_nothing_behind():
    assert symbols(ORIGINAL, " \n a\n \n\nb\n  ") == "ˈeɪ bˈiː"


def test_the_original_cleaner_spells_english_voices_only():
    assert symbols(ORIGINAL, "Dr. Wu") == symbols(ORIGINAL, "doctor wu")
    assert symbols(FrontEnd(cleaner="none"), "Dr. Wu") != symbols(ORIGINAL, "doctor wu")
    german = FrontEnd(language="deu")
    assert symbols(german, "Schöne Grüße") == symbols(FrontEnd(phoneme_language="de"), "schöne grüße")
    assert symbols(german, "schöne") != symbols(german, "schone")


def test_the_english_voice_is_american_unless_declared():
    assert FrontEnd().voice == FrontEnd(language="eng").voice == FrontEnd(language="en").voice == "en-us"
    assert symbols(FrontEnd(phoneme_language="en-gb"), "bath") != symbols(ORIGINAL, "bath")


@pytest.mark.parametrize("style", ["vits", "piper"])
def test_raw_phonemes_pass_as_they_are(style):
    front_end = FrontEnd(phoneme_style=style, phoneme_language="en-us")
    assert symbols(front_end, "say [[ Hɛˈloʊ ]] now") == "sˈeɪ Hɛˈloʊ nˈaʊ"
    assert symbols(front_end, "[[ə]]") == "ə"


def test_each_phoneme_spans_the_word_it_speaks():
    text = "It cost $20 & one of the 42 men met Dr. Wu, at 10:30 — “out of” it."
    words = spoken_words(ORIGINAL, text)
    assert words["It"] == "ɪt"
    assert words["42"] == "fˈɔːɹɾi tˈuː"
    assert words["of the"] == "ʌvðə"
    assert words["Dr."] == "dˈɑːktɚ"
    assert words["$20"] == "dˈɑːlɚ twˈɛnti"
    assert words["30"] == "θˈɜːɾi"
    assert words["out of"] == "ˌaʊɾəv"
    assert words["it"] == "ɪt"


def test_piper_spans_pair_words_across_clauses():
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
        "in the": "ɪnðə",
        "way": "wˈeɪ",
        "of a": "əvə",
        "man": "mˈæn",
    }


@pytest.mark.filterwarnings("ignore:Surrogate")  # Unidecode's word on half a character
@pytest.mark.parametrize("style", ["vits", "piper"])
@pytest.mark.parametrize(
    "text", ["", " ", "...", "\n\n", "a\n -\nb", "$", "[[ ]]", "a\0b", "\ud800 x", "日本 text.", "🙂", "a:£, b `"]
)
def test_spans_cover_odd_texts_and_do_not_change_them(style, text):
    front_end = FrontEnd(phoneme_style=style, phoneme_language="en-us")
    result = front_end.symbols(TrackedText.original(text, track=True))
    assert result.text == symbols(front_end, text)
    starts = [start for start, _ in result.spans]
    assert len(starts) == len(result.text)
    assert starts == sorted(starts)
    assert all(0 <= start <= end <= len(text) for start, end in result.spans)


@pytest.mark.parametrize("text", ["a." * 2000, "[[" * 40_000, "-" * 90_000, " " * 90_000 + "a", "a\n" * 10_000])
def test_endless_texts_of_one_kind_neither_crash_nor_hang(text):
    code = (
        "import sys; from hf_vits.text.front_end import FrontEnd; from hf_vits.text.tracked import TrackedText\n"
        "text = sys.stdin.read()\n"
        "for style in ('vits', 'piper'):\n"
        "    FrontEnd(phoneme_style=style, phoneme_language='en-us').symbols(TrackedText.original(text, track=False))"
    )
    result = subprocess.run([sys.executable, "-c", code], input=text, text=True, capture_output=True, timeout=20)
    assert result.returncode == 0, result.stderr[-500:]


@pytest.mark.parametrize("style", ["vits", "piper"])
def test_the_marks_of_a_change_of_language_are_left_out(style):
    russian = FrontEnd(phoneme_style=style, phoneme_language="ru")
    assert symbols(russian, "привет hello") == "prʲivʲˈet həlˈəʊ"


def test_an_unknown_language_names_the_near_ones():
    with pytest.raises(ValueError, match=r"no voice 'en-uk'.*'en-us'.*phoneme_language"):
        symbols(FrontEnd(phoneme_language="en-uk"), "a")


def test_every_language_code_leads_to_a_voice():
    from hf_vits.text import espeak

    known = set(espeak.voices())
    assert {code: voice for code, voice in espeak._ISO.items() if voice not in known} == {}


def test_languages_do_not_mix_between_threads():
    texts = {"de": "Guten Tag, das ist gut", "fr-fr": "bonjour le monde", "en-us": "this is good"}
    expected = {voice: symbols(FrontEnd(phoneme_language=voice), text) for voice, text in texts.items()}
    wrong = []

    def speak(voice):
        for _ in range(100):
            if symbols(FrontEnd(phoneme_language=voice), texts[voice]) != expected[voice]:
                wrong.append(voice)

    threads = [threading.Thread(target=speak, args=(voice,)) for voice in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_espeak_the_error_names_the_command_that_installs_it(monkeypatch):
    from hf_vits.text import espeak

    monkeypatch.delenv("PHONEMIZER_ESPEAK_LIBRARY", raising=False)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setattr(espeak.ctypes.util, "find_library", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "hf_vits\[phonemes\]"'):
        espeak.library_paths()
