"""Requests to espeak-ng: no text, fork or thread crashes it."""

import json
import os
import re
import subprocess
import sys
import threading

import pytest

from hf_vits.text.espeak import separate_symbols
from hf_vits.text.frontend import FrontEnd
from hf_vits.text.offsets import TextWithOffsets

pytest.importorskip("espeakng_loader")

ORIGINAL = FrontEnd()
# Of Piper's voices; espeak knows some of them only by a file's name.
PIPERS_LANGUAGES = """ar ca cmn cs cy da de el en en-gb en-gb-x-rp en-us es es-419 fa fi fr hu is it ka kk lb lv nb ne
nl pl pt pt-br ro ru sk sl sr sv sw tr uk vi EN-US en-us+f3 no zh"""


def phonemes(front_end, text):
    return front_end.tokens(TextWithOffsets.original(text, track=False)).text


def run(code, *arguments, **options):
    """Run code in a separate process, which may crash; return its standard error, with the exit code if not 0."""
    head = "import json, sys\nfrom hf_vits.text.frontend import FrontEnd\n"
    head += "from hf_vits.text.offsets import TextWithOffsets\n"
    command = [sys.executable, "-c", head + code, *arguments]
    result = subprocess.run(command, text=True, capture_output=True, timeout=60, **options)
    return result.stderr[-500:] + (f" exit code {result.returncode}" if result.returncode else "")


PHONEMIZE = """
texts = json.load(sys.stdin)
for voice in sys.argv[1:]:
    for text in texts:
        for style in ("vits", "piper"):
            front_end = FrontEnd(phoneme_style=style, phoneme_language=voice, normalize=False)
            front_end.tokens(TextWithOffsets.original(text, track=False))
"""


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("text", ["a." * 2000, "[[" * 40_000, "-" * 90_000, " " * 90_000 + "a", "a\n" * 10_000])
def test_long_texts_of_one_kind_neither_crash_nor_hang(text):
    assert run(PHONEMIZE, "en-us", input=json.dumps([text])) == ""


@pytest.mark.thorough
@pytest.mark.parametrize("voice", ["en-us", "de", "vi", "chr-US-Qaaa-x-west"])
def test_many_abbreviations_do_not_crash(voice):
    patterns = [
        "a.b. ",
        " a.b.",
        "p.m. ",
        "a .",
        "-a.b.",
        "e.g.!",
        "{/-\u0928a.b.",
        "\u4f60.",
        "._a",
        ".b\n",
        "e\u0301.",
    ]
    assert run(PHONEMIZE, voice, input=json.dumps([pattern * 1000 for pattern in patterns])) == ""


def test_marks_do_not_crash_the_vietnamese_voices():
    texts = ["`", "a. `", "/-a", "/-\u0928", "(`)", 'x. "-a b', "_-a", "- a -b `c` 5 -3"]
    assert run(PHONEMIZE, "vi", "vi-vn-x-central", "vi-vn-x-south", input=json.dumps(texts)) == ""


@pytest.mark.parametrize("voice", ["pt", "por", "si", "sin", "pt-br", "vi", "de"])
def test_no_sign_has_phonemes_of_the_text_before(voice):
    from hf_vits.text import espeak

    signs = "©]®™°%&@#[(`'-"
    results = []
    for before in ("wwww xyz", "1995 banana", "привет"):
        clauses = espeak.clauses_of([text for sign in signs for text in (before, f"{sign} a")], voice)
        results.append([[clause.phonemes for clause in found] for found in clauses[1::2]])
    assert results[0] == results[1] == results[2]


FORK = """
import os, signal, threading, time
stop, text = [], "this is a rather long sentence to keep the lock held, " * 200
ipa = lambda voice, text: FrontEnd(phoneme_language=voice).tokens(TextWithOffsets.original(text, track=False)).text
expected = ipa("de", "Guten Tag")
def spin():
    while not stop:
        ipa("en-us", text)
thread = threading.Thread(target=spin)
thread.start()
time.sleep(0.2)
for _ in range(3):
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(ipa("de", "Guten Tag") != expected)
    if os.waitpid(child, 0)[1]:
        stop.append("the child hung")
stop.append("")
thread.join()
sys.exit(stop[0] or None)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_process_forked_while_another_thread_phonemizes_can_phonemize():
    assert "the child hung" not in run(FORK)


def test_the_languages_of_pipers_voices_are_known():
    wrong = []
    for voice in PIPERS_LANGUAGES.split():
        try:
            assert phonemes(FrontEnd(phoneme_language=voice, phoneme_style="piper"), "a 1")
        except ValueError as error:
            wrong.append(str(error))
    assert wrong == []


def test_a_name_of_espeak_selects_its_voice():
    assert phonemes(FrontEnd(phoneme_language="en", cleaner="none"), "bath") == "bˈaθ"  # British, as in Piper
    assert phonemes(FrontEnd(phoneme_language="EN-US"), "Dr. Wu, bath") == phonemes(ORIGINAL, "Dr. Wu, bath")


def test_the_name_of_a_voice_cannot_be_a_path():
    with pytest.raises(ValueError, match="no language '../lang/gmw/de'"):
        phonemes(FrontEnd(phoneme_language="../lang/gmw/de"), "a")


@pytest.mark.parametrize(
    ("given", "first"),
    [("germn", "`de` for German?"), ("English", "`en-us` for English"), ("de-DE", "`de` for"), ("pt_BR", "`pt` for")],
)
def test_an_unknown_language_is_an_error_with_similar_ones_by_code_or_english_name(given, first):
    with pytest.raises(ValueError, match=f"no language '{given}'; did you mean {re.escape(first)}"):
        phonemes(FrontEnd(phoneme_language=given), "a")


def test_every_language_code_has_a_voice():
    from hf_vits.text import espeak

    known = set(espeak.voices())
    assert {code: voice for code, voice in espeak._ISO.items() if voice not in known} == {}


def test_threads_do_not_change_each_others_language():
    texts = {"de": "Guten Tag, das ist gut", "fr-fr": "bonjour le monde", "en-us": "this is good"}
    expected = {voice: phonemes(FrontEnd(phoneme_language=voice), text) for voice, text in texts.items()}
    wrong = []

    def phonemize(voice):
        for _ in range(100):
            if phonemes(FrontEnd(phoneme_language=voice), texts[voice]) != expected[voice]:
                wrong.append(voice)

    threads = [threading.Thread(target=phonemize, args=(voice,)) for voice in texts]
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


def test_the_error_for_another_library_names_it_and_its_environment_variable():
    import _ctypes

    code = """
from hf_vits.text import espeak
try:
    espeak.clauses("a", "en-us")
except ImportError as error:
    sys.exit(str(error))
"""
    for path in ("/nope.so", _ctypes.__file__):
        error = run(code, env={**os.environ, "PHONEMIZER_ESPEAK_LIBRARY": path})
        assert f"{path} cannot be used" in error
        assert "Set PHONEMIZER_ESPEAK_LIBRARY" in error


# Phonemes of piper-tts 1.8.0.
FROM_PIPER = {
    ("en-us", "👍"): "θˈʌmz ˈʌp",
    ("en-us", "I love you ❤️"): "aɪ lˈʌv juː ɹˈɛd hˈɑːɹt",
    ("en-us", "I love you ❤️."): "aɪ lˈʌv juː ɹˈɛd hˈɑːɹt.",
    ("en-us", "I ❤️ NY"): "aɪ ɹˈɛd hˈɑːɹt ˌɛnwˈaɪ",
    ("en-us", "❤️❤️"): "ɹˈɛd hˈɑːɹt ɹˈɛd hˈɑːɹt",
    ("en-us", "No 🚗🚗 here, ok 🙏."): "nˈoʊ ˈɔːɾəməbˌiəl ˈɔːɾəməbˌiəl hˈɪɹ, ˌoʊkˈeɪ fˈoʊldᵻd hˈændz.",
    ("en-us", "👍, ok"): "θˈʌmz ˌʌp ˌoʊkˈeɪ",
    ("en-us", '"👍"'): "θˈʌmz ˈʌp",
    ("en-us", "❤️!"): "ɹˈɛd hˈɑːɹt ˈɛkskləmˌeɪʃən",
    ("en-us", "ok ❤️! Ok"): "ˌoʊkˈeɪ ɹˈɛd hˈɑːɹt! ˌoʊkˈeɪ",
    ("en-us", "ok 👍: ok"): "ˌoʊkˈeɪ θˈʌmz ˈʌp: ˌoʊkˈeɪ",
    ("en-us", "👩‍❤️‍👨"): "wˈʊmən ɹˈɛd hˈɑːɹt mˈæn",
    ("en-us", "👨‍👩‍👧"): "mˈæn wˈʊmən ɡˈɜːl",
    ("en-us", "🏳️‍🌈"): "wˈaɪt flˈæɡ ɹˈeɪnboʊ",
    ("en-us", "🇩🇪"): "dʒˈɜːməni",
    ("en-us", "5️⃣ a"): "fˈaɪv ˈeɪ",
    ("en-us", "⚠️⚠️ ok"): "wˈɔːɹnɪŋ wˈɔːɹnɪŋ ˌoʊkˈeɪ",
    ("en-us", "♥♥"): "hˈɑːɹt sˈuːt hˈɑːɹt sˈuːt",
    ("en-us", "👍…"): "θˈʌmz ˌʌp",
    ("en-us", "It is 20° now."): "ɪɾ ɪz twˈɛnti dᵻɡɹˈiːz nˈaʊ.",
    ("en-us", "½ cup"): "ɐ hˈæf kˈʌp",
    ("en-us", "€5, 5€"): "jˈʊɹɹoʊz fˈaɪv, fˈaɪv jˈʊɹɹoʊz",
    ("en-us", "x → y"): "ˈɛks ɹˈaɪt ˈæɹoʊ wˈaɪ",
    ("en-us", "a→b"): "ɐ ɹˈaɪt ˈæɹoʊ bˈiː",
    ("en-us", "™."): "tɹˈeɪd mˈɑːɹk",
    ("de", "(👍)"): "dˈaʊmən hˈoːx",
    ("de", "☀️ Sonne"): "zˈɔnə zˈɔnə",
    ("de", "ok ❤️!"): "oːkˈeː rˈoːtəs hˈɛɾts!",
    ("fr", "I love you ❤️"): "ˈi lˈɔv jˈu kˈuʁ ʁˈuʒ",
    ("es", "I love you ❤️."): "ˈi lˈoβe ʝˈow kˌoɾaθˈon rˈoxo.",
}
# Where piper-tts loses words too, and where its espeak stresses several emoji as one word: the same symbols between
# spaces.
BETWEEN_SPACES = {
    "👍👍": "👍 👍",
    "👍🏽": "👍 🏽",
    "👍ok👍": "👍 ok 👍",
    "🇩🇪🇫🇷": "🇩🇪 🇫🇷",
    "(½)": "½",
    "½½": "½ ½",
    "-½": "½",
    "(±5)": "± 5",
    "≤≥": "≤ ≥",
    "a→→b": "a → → b",
    "5½% “™”": "5 ½ % ™",
    "½–1": "½ – 1",
    "5½": "5 ½",
}


def piper_phonemes(text, voice="en-us", track=False):
    front_end = FrontEnd(phoneme_style="piper", normalize=False, phoneme_language=voice)
    result = front_end.tokens(TextWithOffsets.original(text, track=track))
    return result if track else result.text


@pytest.mark.parametrize(("voice", "text"), FROM_PIPER)
def test_symbols_have_the_phonemes_of_piper(voice, text):
    assert piper_phonemes(text, voice) == FROM_PIPER[voice, text]


@pytest.mark.parametrize("text", BETWEEN_SPACES)
def test_adjacent_symbols_have_the_phonemes_of_separate_ones(text):
    assert re.findall(r"\w+", piper_phonemes(text)) == re.findall(r"\w+", piper_phonemes(BETWEEN_SPACES[text]))


def test_symbols_span_themselves():
    text = "ok ❤️! (½) 👍🏽 end"
    result = piper_phonemes(text, track=True)
    assert result.text == piper_phonemes(text)
    phonemes_of = {}
    for phoneme, (start, end) in zip(result.text, result.spans, strict=True):
        phonemes_of[text[start:end]] = phonemes_of.get(text[start:end], "") + phoneme
    assert phonemes_of["½"] == "ɐ hˈæf"
    assert phonemes_of["end"].strip() == "ˈɛnd"
    assert phonemes_of["👍🏽"].startswith("θˈʌmz")


@pytest.mark.parametrize("text", [*BETWEEN_SPACES, "a ❤️ b", "👨‍👩‍👧‍👦", "plain text, no more."])
def test_each_place_in_the_new_text_has_one_in_the_old(text):
    new, places = separate_symbols(text, lambda symbol: True)
    if places is None:
        assert new == text
        return
    assert len(places) == len(new) + 1
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, len(text))
    assert all(new[i] == text[places[i]] for i in range(len(new)) if not new[i].isspace())


def test_symbols_of_one_word_and_separate_symbols_are_not_changed():
    text = "It costs 5% (or $3), x = 2; ½ cup, 20°."
    assert separate_symbols(text, lambda symbol: symbol == "½") == (text, None)
