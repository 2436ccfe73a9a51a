"""A phoneme block has the same effect on its context as the word that it replaces."""

import re

import pytest

from hf_vits.text.frontend import FrontEnd
from hf_vits.text.offsets import TextWithOffsets

pytest.importorskip("espeakng_loader")

# In each sentence the words in braces are replaced by blocks of their isolated phonemes. The oracle is the
# sentence with the words themselves.
SENTENCES = {
    "en-us": [
        "No {no}! Go.",
        "{John}, my son.",
        "He said {John}; my son: {John}.",
        "It is {John}.",
        "Is it {John}?",
        "{John}",
        "Stop. {John} came.",
        "The {apple} is red, an {apple} a {pear}.",
        "He said [{John}], and [the {house}] of [{John} {Mary}].",
        "({John}) came, he ({John}), left.",
        '"{John}," he said.',
        'He said "{John}". Then he left.',
        "{John}'s book and {Jack}'s book, {James}'s house; {Anna}’s.",
        "one, {John} {Mary} {Peter}, {Mary}, {John}.",
        "Wait... {John} came.",
        "Wait {John}... then go.",
        "The banana and the {gorilla}, and bananas.",
        "{John}\n\n{John} came.",
        "of the {house} in the {garden}",
    ],
    "de": ["Er sah {Berlin}, und ging.", "Ist das ({Berlin})?", "{Berlin}! Komm."],
    "fr-fr": ["les {amis}, et l'{ami}.", "«{Paris}!» dit-il.", "C'est {Paris} ?"],
    "ru": ["Это {банан}, да.", "{банан}! Иди."],
    "pl": ["To jest {jabłko}, tak.", "To jest {pan}, tak.", "To jest {dom}, tak."],
    "cmn": ["我喜欢{香蕉}，谢谢。", "{香蕉}！好。"],
    "ja": ["これは{バナナ}です。", "{バナナ}！はい。"],
    "hi": ["यह {केला}, है।", "{केला}! आओ।"],
    "ar": ["أين {موز}؟ هنا."],
}
CASES = [(voice, sentence) for voice, sentences in SENTENCES.items() for sentence in sentences]


def front_end(style, voice="en-us"):
    return FrontEnd(phoneme_style=style, normalize=False, phoneme_language=voice)


def symbols(front_end, text):
    return front_end.tokens(TextWithOffsets.original(text, track=False)).text


def without_stress(text):
    return re.sub("[ˈˌ]", "", text)  # that of an isolated word may differ


def with_blocks(sentence, voice):
    from hf_vits.text import espeak

    return re.sub(r"\{(.*?)\}", lambda word: f"[[ {espeak.words_phonemes([word[1]], voice)[0]} ]]", sentence)


@pytest.mark.parametrize("style", ["piper", "vits"])
@pytest.mark.parametrize(("voice", "sentence"), CASES)
def test_a_block_has_the_context_of_its_word_and_does_not_change_it(style, voice, sentence):
    plain = symbols(front_end(style, voice), re.sub("[{}]", "", sentence))
    assert without_stress(symbols(front_end(style, voice), with_blocks(sentence, voice))) == without_stress(plain)


@pytest.mark.parametrize("style", ["piper", "vits"])
@pytest.mark.parametrize(("voice", "sentence"), CASES)
def test_spans_increase_through_blocks(style, voice, sentence):
    text = with_blocks(sentence, voice)
    result = front_end(style, voice).tokens(TextWithOffsets.original(text, track=True))
    assert result.text == symbols(front_end(style, voice), text)
    starts = [start for start, _ in result.spans]
    assert starts == sorted(starts)
    for block in re.finditer(r"\[\[ (.*?) \]\]", text):
        within = [i for i, span in enumerate(result.spans) if block.start(1) <= span[0] < block.end(1)]
        assert "".join(result.text[i] for i in within) == block[1]
        assert all(result.spans[i][1] <= block.end(1) for i in within)
        assert all(end <= block.start() for _, end in result.spans[: within[0]])


@pytest.mark.parametrize("style", ["piper", "vits"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("say [[ ]] no", "sˈeɪ nˈoʊ"),
        ("[[]] no.", "nˈoʊ."),
        ("say [[ no", "sˈeɪ nˈoʊ"),
        ("say ]] no", "sˈeɪ nˈoʊ"),
        ("[[nˈoʊ]][[jˈɛs]]", "nˈoʊjˈɛs"),
        ("pre[[vjuː]], [[ɹiː]]view.", "pɹˈiːvjuː, ɹiːvjˈuː."),
        ("[[ həlˈoʊ, wˈɜːld. ]]", "həlˈoʊ, wˈɜːld."),
        ("banana gorilla [[bˈoʊ]] gorilla banana", "bɐnˈænə ɡɚɹˈɪlə bˈoʊ ɡɚɹˈɪlə bɐnˈænə"),
        ("[[ə]] " * 9 + "no", "ə " * 9 + "nˈoʊ"),
    ],
)
def test_odd_blocks(style, text, expected):
    assert symbols(front_end(style), text) == expected


def test_a_text_of_blocks_only_needs_no_espeak(monkeypatch):
    from hf_vits.text import espeak

    def absent(texts, voice):
        raise ImportError("no espeak")

    monkeypatch.setattr(espeak, "clauses_of", absent)
    assert symbols(front_end("piper"), "[[ nˈoʊ ]] [[ jˈɛs ]]") == "nˈoʊ jˈɛs"
