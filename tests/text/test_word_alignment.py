import random
import time
from itertools import accumulate, combinations, pairwise

import pytest

from hf_vits.text import word_alignment
from hf_vits.text.word_alignment import Budget


def align(isolated, phonemes, characters=1000):
    return word_alignment.align(isolated, phonemes, Budget(characters))


@pytest.mark.parametrize(
    ("isolated", "phonemes", "groups"),
    [
        (["hal", "wɜld"], ["hal", "wɜld"], [(0, 1, 0, 1), (1, 2, 1, 2)]),
        (["fɔːti tuː", "mɛn"], ["fɔːti", "tuː", "mɛn"], [(0, 1, 0, 2), (1, 2, 2, 3)]),  # "42 men"
        (["ʌv", "ðə", "mɛn"], ["ʌvðə", "mɛn"], [(0, 2, 0, 1), (2, 3, 1, 2)]),  # "of the men"
        # "of the 42": as many words as words of phonemes, but not one to one
        (["wʌn", "ʌv", "ðə", "fɔːti tuː"], ["wʌn", "ʌvðə", "fɔːti", "tuː"], [(0, 1, 0, 1), (1, 3, 1, 2), (3, 4, 2, 4)]),
        (["", "mɛn"], ["mɛn"], [(0, 1, 0, 0), (1, 2, 0, 1)]),  # "- men"
        (["anything"], ["quite", "another"], [(0, 1, 0, 2)]),  # a single word is aligned with everything
        (
            ["il", "iɡʁɛk", "avɛ"],
            ["il", "i", "avɛ"],
            [(0, 1, 0, 1), (1, 2, 1, 2), (2, 3, 2, 3)],
        ),  # between similar ones
    ],
)
def test_words_are_aligned_with_similar_phonemes(isolated, phonemes, groups):
    assert align(isolated, phonemes) == groups


def test_different_phonemes_are_not_aligned():
    assert align(["katze", "hunde", "maus"], ["wɪski", "bɒtəl", "fɜʒʒ"]) is None


def test_a_long_phrase_is_aligned_word_by_word():
    isolated = [f"{a}{b}n" for a in "ptkbdg" for b in "aeiou"] * 3
    phonemes = [*isolated[:40], "".join(isolated[40:42]), *isolated[42:]]
    groups = align(isolated, phonemes)
    assert groups[39:42] == [(39, 40, 39, 40), (40, 42, 40, 41), (42, 43, 41, 42)]
    assert groups[-1] == (89, 90, 88, 89)


def test_long_numbers_are_aligned_however_far_they_are_from_the_expected_place():
    number = " ".join(f"{a}{b}n" for a in "ptkb" for b in "aeiou")
    isolated = ["ɒv", "ðə"] * 20 + [number] * 3
    groups = align(isolated, ["ɒvðə"] * 20 + number.split() * 3)
    assert groups[:2] == [(0, 2, 0, 1), (2, 4, 1, 2)]
    assert groups[20:] == [(40, 41, 20, 40), (41, 42, 40, 60), (42, 43, 60, 80)]


def test_a_sign_read_by_another_name_is_accepted_next_to_similar_words():
    assert align(["mɛn", "maɪnəs faɪv"], ["mɛn", "dæʃ", "faɪv"]) == [(0, 1, 0, 1), (1, 2, 1, 3)]


def test_words_whose_phonemes_differ_too_much_are_one_group_between_those_that_are_aligned():
    isolated, phonemes = ["mɛn", "plɒmk", "ʃuːzɪf", "wɒz", "ɡʊd"], ["mɛn", "taɪnɛd", "ɡraʊvəb", "wɒz", "ɡʊd"]
    assert align(isolated, phonemes) == [(0, 1, 0, 1), (1, 3, 1, 3), (3, 4, 3, 4), (4, 5, 4, 5)]


def test_phonemes_of_a_mark_that_is_read_are_given_to_it_and_not_to_the_word_after_it():
    # "is * one", where "*" has no phonemes on its own
    assert align(["ɪz", "", "wʌn"], ["ɪz", "æstɚɹɪsk", "wʌn"]) == [(0, 1, 0, 1), (1, 2, 1, 2), (2, 3, 2, 3)]


@pytest.mark.parametrize(
    ("isolated", "phonemes", "counts"),
    [
        (("ʌv", "ðə"), "ʌvðɪ", [2, 2]),
        (("ˈaɪ", "ˈæm"), "aɪˈæm", [2, 3]),
        (("tˈuː", "biː"), "tuːbˈiː", [3, 4]),
        (("ðˈæt", "wˈʌz", "ɐ"), "ðætwəzɐ", [3, 3, 1]),
        (("ʌv", "ə"), "ə", [0, 1]),
    ],
)
def test_a_word_of_phonemes_is_divided_among_its_words(isolated, phonemes, counts):
    assert word_alignment.divide(isolated, phonemes) == counts


def test_no_other_division_has_a_smaller_distance():
    choice = random.Random(2)
    for _ in range(100):
        isolated = tuple("".join(choice.choices("abtsˈ", k=choice.randint(1, 4))) for _ in range(choice.randint(2, 3)))
        phonemes = "".join(choice.choices("abts", k=choice.randint(len(isolated), 8)))
        ends = [0, *accumulate(word_alignment.divide(isolated, phonemes))]
        parts = [phonemes[a:b] for a, b in pairwise(ends)]
        cost = sum(map(edit_distance, isolated, parts))
        assert "".join(parts) == phonemes and all(parts)
        for cuts in combinations(range(1, len(phonemes)), len(isolated) - 1):
            others = [phonemes[a:b] for a, b in pairwise([0, *cuts, len(phonemes)])]
            assert cost <= sum(map(edit_distance, isolated, others))


def edit_distance(first, second):
    """The oracle: the definition, without a table."""
    if not first or not second:
        return float(len(first) + len(second))
    vowels = "aeiou"
    change = 0.0 if first[0] == second[0] else 0.5 if first[0] in vowels and second[0] in vowels else 1.0
    return min(
        change + edit_distance(first[1:], second[1:]),
        1 + edit_distance(first[1:], second),
        1 + edit_distance(first, second[1:]),
    )


def test_distances_from_all_prefixes_are_edit_distances(monkeypatch):
    generator = random.Random(0)
    for large in (0, 1000):  # both ways of computing them
        monkeypatch.setattr(word_alignment, "_LARGE", large)
        for _ in range(30):
            first, second = ("".join(generator.choices("aetk", k=generator.randrange(5))) for _ in range(2))
            word_alignment._row.cache_clear()
            row = word_alignment._row(first, second)
            assert list(row) == [edit_distance(first, second[:n]) for n in range(len(second) + 1)], (first, second)


def test_alignment_stops_when_the_budget_is_exceeded(monkeypatch):
    isolated, phonemes = ["ɒv", "ðə", "wʌn tuː", "mɛn"], ["ɒvðə", "wʌn", "tuː", "mɛn"]
    assert align(isolated, phonemes) is not None
    monkeypatch.setattr(word_alignment, "_BUDGET", 20)
    assert align(isolated, phonemes, characters=0) is None


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["numbers", "symbols", "scripts"])
def test_the_time_that_offsets_take_is_bounded(kind):
    pytest.importorskip("espeakng_loader")
    from hf_vits.text.frontend import FrontEnd
    from hf_vits.text.offsets import TextWithOffsets

    generator = random.Random(kind)
    scripts = [(33, 127), (0x400, 0x500), (0x4E00, 0x9FFF), (0x600, 0x6FF), (0x1F300, 0x1F600), (32, 33)]
    text = {
        "numbers": "of the ".join(f"{generator.randrange(10**9)} " * (1 + i % 3) for i in range(320)),
        "symbols": "".join(generator.choices("½±≤→©™%&@ #1a", k=839)),
        "scripts": "".join(chr(generator.randrange(*generator.choice(scripts))) for _ in range(839)),
    }[kind]
    front_end = FrontEnd(phoneme_style="piper", normalize=False, phoneme_language="en-us")
    plain = front_end.tokens(TextWithOffsets.original(text, track=False))
    start = time.process_time()
    tracked = front_end.tokens(TextWithOffsets.original(text, track=True))
    assert time.process_time() - start < 5  # it took 9 to 100
    assert tracked.text == plain.text
    assert len(tracked.spans) == len(plain.text)
