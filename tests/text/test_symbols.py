"""All words of a symbol are spoken, wherever it stands."""

import re

import pytest

from hf_vits.text.frontend import FrontEnd
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.text.symbols import apart

# What piper-tts 1.8.0 says.
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
# Where piper-tts loses words too, and where its espeak stresses a row of emoji as one word: what is said of the same
# symbols between spaces.
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


def symbols(text, voice="en-us", track=False):
    pytest.importorskip("espeakng_loader")
    front_end = FrontEnd(phoneme_style="piper", normalize=False, phoneme_language=voice)
    result = front_end.tokens(TextWithOffsets.original(text, track=track))
    return result if track else result.text


@pytest.mark.parametrize(("voice", "text"), FROM_PIPER)
def test_symbols_are_spoken_as_by_piper(voice, text):
    assert symbols(text, voice) == FROM_PIPER[voice, text]


@pytest.mark.parametrize("text", BETWEEN_SPACES)
def test_symbols_that_touch_are_spoken_as_between_spaces(text):
    assert re.findall(r"\w+", symbols(text)) == re.findall(r"\w+", symbols(BETWEEN_SPACES[text]))


def test_symbols_span_themselves():
    text = "ok ❤️! (½) 👍🏽 end"
    result = symbols(text, track=True)
    assert result.text == symbols(text)
    spoken = {}
    for symbol, (start, end) in zip(result.text, result.spans, strict=True):
        spoken[text[start:end]] = spoken.get(text[start:end], "") + symbol
    assert spoken["½"] == "ɐ hˈæf"
    assert spoken["end"].strip() == "ˈɛnd"
    assert spoken["👍🏽"].startswith("θˈʌmz")


@pytest.mark.parametrize("text", [*BETWEEN_SPACES, "a ❤️ b", "👨‍👩‍👧‍👦", "plain text, no more."])
def test_each_place_in_the_new_text_has_one_in_the_old(text):
    new, places = apart(text, lambda symbol: True)
    if places is None:
        assert new == text
        return
    assert len(places) == len(new) + 1
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, len(text))
    assert all(new[i] == text[places[i]] for i in range(len(new)) if not new[i].isspace())


def test_what_is_one_word_and_what_stands_free_is_left_alone():
    text = "It costs 5% (or $3), x = 2; ½ cup, 20°."
    assert apart(text, lambda symbol: symbol == "½") == (text, None)
