"""All of a text gets its phonemes, also where espeak-ng drops what exceeds its buffers, or an error names the part."""

import random

import pytest

from hf_vits.text.espeak import clauses_of
from hf_vits.text.espeak_chunks import ChunkedRequests, EspeakError, divide, halves
from hf_vits.text.espeak_process import EspeakEndedError

# voice, last word, and what the clause before it is made of; together more than 200 clauses with the ten lengths below.
KINDS = {
    "numbers": ("en-us", "banana", lambda r: str(r.randrange(10**15, 10**16))),
    "years": ("en-us", "banana", lambda r: str(r.randrange(1700, 2030))),
    "years in German": ("de", "Banane", lambda r: str(r.randrange(1700, 2030))),
    "digits": ("en-us", "banana", lambda r: " ".join(r.choices("0123456789", k=5))),
    "long numbers": ("en-us", "banana", lambda r: str(r.randrange(10**39, 10**60))),
    "decimals": ("fr-fr", "banane", lambda r: f"{r.uniform(0, 1000):.4f}".replace(".", ",")),
    "abbreviations": ("en-us", "banana", lambda r: "".join(r.choices("WXQUHZ", k=3))),
    "dotted abbreviations": ("en-us", "banana", lambda r: r.choice(["e.g.", "i.e.", "p.m.", "U.S."]) + " of"),
    "letters": ("es", "plátano", lambda r: " ".join(r.choices("abcwxyz", k=5))),
    "short letters": ("es", "plátano", lambda r: " ".join(r.choices("aeio", k=5))),
    "quoted letters": ("en-us", "banana", lambda r: " ".join(r.choices(['"a"', "(b)", "[e]", "«o»"], k=3))),
    "long words": ("de", "Banane", lambda r: r.choice(["donaudampfschifffahrt", "gesellschaft", "kapitän"]) * 9),
    "long words in Russian": ("ru", "банан", lambda r: r.choice(["перепродовольствование", "вание"]) * 8),
    "symbols": ("en-us", "banana", lambda r: " ".join(r.choices(["&", "@", "%", "+", "=", "$5", "£3", "#"], k=5))),
    "emoji": ("en-us", "banana", lambda r: " ".join(r.choices("👍😂🙏🚗🌍", k=5))),
    "quotes and brackets": ("en-us", "banana", lambda r: r.choice(['"no"', "(yes)", "‘so’", "[but]", "«oh»"])),
    "addresses": ("en-us", "banana", lambda r: f"www.x{r.randrange(99)}/q-z@w_{r.randrange(99)}"),
    "Chinese": ("cmn", "香蕉", lambda r: "".join(r.choices(["今天", "天气", "很好", "我们", "公园"], k=2))),
    "Japanese": ("ja", "バナナ", lambda r: r.choice(["きょうは", "とても", "てんき", "が", "いい"])),
    "Hindi": ("hi", "केला", lambda r: r.choice(["नमस्ते", "१९९९", "आप", "कैसे", "५%"])),
    "Arabic": ("ar", "موز", lambda r: r.choice(["مرحبا", "١٩٩٩", "كيف", "&"])),
    "English in Japanese": (
        "ja",
        "バナナ",
        lambda r: r.choice(["quick", "50%", "km/h", "X3", "1/2", "of-the-art"]),
    ),
    "another language's letters": ("en-us", "banana", lambda r: r.choice(["привет", "γειά", "你好", "שלום"])),
}
LENGTHS = (6, 8, 11, 15, 20, 26, 33, 42, 55, 70)
UNSPACED = ("Chinese", "Japanese")


def plain(clauses):
    return "".join(clause.phonemes for clause in clauses).translate(str.maketrans("", "", "ˈˌː "))


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("kind", KINDS)
def test_the_last_word_of_a_long_clause_has_phonemes(kind):
    pytest.importorskip("espeakng_loader")
    from hf_vits.text import espeak

    voice, last, item = KINDS[kind]
    generator = random.Random(kind)
    last_plain = plain(espeak.clauses(last, voice))
    lost = []
    for length in LENGTHS:
        items = [item(generator) for _ in range(length)]
        text = ("" if kind in UNSPACED else " ").join([*items, last])
        clauses = espeak.clauses(text, voice)
        assert (clauses[0].start, clauses[-1].end) == (0, len(text))
        assert all(before.end == after.start for before, after in zip(clauses, clauses[1:], strict=False))
        if not plain(clauses).endswith(last_plain):
            lost.append((length, plain(clauses)[-40:]))
    assert lost == []


def test_the_last_word_has_phonemes_where_spaces_are_inserted_until_the_buffer_is_full():
    pytest.importorskip("espeakng_loader")
    from hf_vits.text import espeak

    for count in (95, 99, 101, 103):  # espeak inserts a space between the two of each pair
        clauses = plain(espeak.clauses("一五 " * count + "香蕉", "cmn"))
        assert clauses.endswith(plain(espeak.clauses("香蕉", "cmn"))), count


@pytest.mark.parametrize(
    ("voice", "beginning", "end"),
    [
        ("de", "gesellschafts", "banane"),
        ("ru", "перепродо", "банан"),
        ("ja", "きょうはとても", "バナナ"),
        ("en-us", "1234567890", "7"),
    ],
)
def test_the_end_of_a_long_word_has_phonemes(voice, beginning, end):
    pytest.importorskip("espeakng_loader")
    from hf_vits.text import espeak

    for times in (1, 3, 4, 5, 8, 20, 40):
        text = beginning * times + end
        assert plain(espeak.clauses(text, voice)).endswith(plain(espeak.clauses(end, voice))[-1:]), times


@pytest.mark.parametrize("kind", ["numbers", "years", "years in German", "digits", "emoji"])
def test_a_long_sequence_has_the_phonemes_of_its_parts(kind):
    pytest.importorskip("espeakng_loader")
    from hf_vits.text import espeak

    voice, _, item = KINDS[kind]
    generator = random.Random(kind)
    items = [item(generator) for _ in range(120)]
    parts = [" ".join(items[i : i + 4]) for i in range(0, len(items), 4)]
    expected = [phonemes for part in espeak.clauses_of(parts, voice) for phonemes in [plain(part)]]
    assert plain(espeak.clauses(" ".join(items), voice)) == "".join(expected)


def test_a_clause_that_fits_is_not_divided():
    pytest.importorskip("espeakng_loader")
    from hf_vits.text import espeak

    long = "This is an ordinary sentence about the river and the people who live in a small house near its bank " * 6
    for text in (long[:700], "Er sah die Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetze noch einmal"):
        assert len(espeak.clauses(text, "de")) == 1


class Fake:
    """Return every word as its own phonemes; end at every text for which `crashes` is true."""

    def __init__(self, crashes=lambda text: False):
        self.crashes, self.requests, self.first_request = crashes, [], True

    def __call__(self, texts):
        self.requests.append(texts)
        first_request, self.first_request = self.first_request, False
        if any(map(self.crashes, texts)):
            self.first_request = True
            raise EspeakEndedError(-11, first_request)
        return [[(len(text), " ".join(text.split()))] for text in texts]


def test_an_error_names_the_smallest_part_that_crashes():
    text = "The first clause, then one with a ☠ in the middle; and a third."
    with pytest.raises(EspeakError, match=r"crashed.*at '☠'") as caught:
        ChunkedRequests(Fake(lambda text: "☠" in text)).run([text])
    assert "Change this part" in str(caught.value)


def test_of_several_texts_only_those_that_crash_are_divided():
    fake = Fake(lambda text: text.count("b") > 1)
    assert ChunkedRequests(fake).run(["a a a", "b c b", "d d d"]) == [
        [(5, "a a a")],
        [(2, "b"), (5, "c b")],
        [(5, "d d d")],
    ]


def test_a_text_is_not_divided_if_an_earlier_one_caused_the_crash():
    fake = Fake(lambda text: fake.after_another and text == "b c")
    fake.after_another, fake.first_request = True, False
    ask = fake.__call__

    def once(texts):
        try:
            return ask(texts)
        finally:
            fake.after_another = False

    assert ChunkedRequests(once).run(["b c"]) == [[(3, "b c")]]


def test_a_text_that_crashes_everywhere_raises_after_a_limited_number_of_requests():
    fake = Fake(lambda text: True)
    with pytest.raises(EspeakError):
        ChunkedRequests(fake).run(["'s" * 10_000])
    assert len(fake.requests) < 30


@pytest.mark.parametrize(
    "text", ["a b c", "ab", "x" * 99, "नमस्ते" * 9, "👩‍👩‍👧" * 4, "👍🏽👍🏽", "e\u0301e\u0301", "©a©", "a, b"]
)
def test_halves_have_similar_sizes_and_cut_no_grapheme_cluster(text):
    import regex

    left, right = halves(text)
    assert left + right == text
    assert len(regex.findall(r"\X", left)) + len(regex.findall(r"\X", right)) == len(regex.findall(r"\X", text))
    assert 0.25 <= len(left) / len(text) <= 0.75


@pytest.mark.parametrize("text", ["", "a", "👩‍👩‍👧"])
def test_one_grapheme_cluster_has_no_halves(text):
    assert halves(text) == []


@pytest.mark.parametrize("text", ["", "a", "a.b. " * 500, "p.m. " * 31, "no. " * 50])
def test_chunks_concatenate_to_the_text(text):
    assert "".join(divide(text)) == text


@pytest.mark.parametrize("letter", ["\u0301", "\u0915\u094d"])
def test_a_letter_with_very_many_marks_is_no_error(letter):
    assert "".join(clauses_text for _, clauses_text in _phonemes(letter * 1000 + " end")).endswith("d")


def _phonemes(text):
    (found,) = clauses_of([text], "en-us")
    return [(clause.end, clause.phonemes) for clause in found]
