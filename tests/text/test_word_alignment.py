import pytest

from hf_vits.text.word_alignment import pair


@pytest.mark.parametrize(
    ("expected", "spoken", "groups"),
    [
        (["hal", "wɜld"], ["hal", "wɜld"], [(0, 1, 0, 1), (1, 2, 1, 2)]),
        (["fɔːti tuː", "mɛn"], ["fɔːti", "tuː", "mɛn"], [(0, 1, 0, 2), (1, 2, 2, 3)]),  # "42 men"
        (["ʌv", "ðə", "mɛn"], ["ʌvðə", "mɛn"], [(0, 2, 0, 1), (2, 3, 1, 2)]),  # "of the men"
        # "of the 42": as many words as spoken words, but not one to one
        (["wʌn", "ʌv", "ðə", "fɔːti tuː"], ["wʌn", "ʌvðə", "fɔːti", "tuː"], [(0, 1, 0, 1), (1, 3, 1, 2), (3, 4, 2, 4)]),
        (["", "mɛn"], ["mɛn"], [(0, 1, 0, 0), (1, 2, 0, 1)]),  # "- men"
        (["anything"], ["quite", "another"], [(0, 1, 0, 2)]),  # one word can only be all of it
        (["il", "iɡʁɛk", "avɛ"], ["il", "i", "avɛ"], [(0, 1, 0, 1), (1, 2, 1, 2), (2, 3, 2, 3)]),  # between two alike
    ],
)
def test_words_pair_with_what_they_sound_like(expected, spoken, groups):
    assert pair(expected, spoken) == groups


def test_what_sounds_unlike_is_not_paired():
    assert pair(["katze", "hunde", "maus"], ["wɪski", "bɒtəl", "fɜʒʒ"]) is None


def test_a_long_phrase_is_paired_word_by_word():
    expected = [f"{a}{b}n" for a in "ptkbdg" for b in "aeiou"] * 3
    spoken = [*expected[:40], "".join(expected[40:42]), *expected[42:]]
    groups = pair(expected, spoken)
    assert groups[39:42] == [(39, 40, 39, 40), (40, 42, 40, 41), (42, 43, 41, 42)]
    assert groups[-1] == (89, 90, 88, 89)


def test_long_numbers_are_paired_however_far_they_are_from_the_expected_place():
    number = " ".join(f"{a}{b}n" for a in "ptkb" for b in "aeiou")
    expected = ["ɒv", "ðə"] * 20 + [number] * 3
    groups = pair(expected, ["ɒvðə"] * 20 + number.split() * 3)
    assert groups[:2] == [(0, 2, 0, 1), (2, 4, 1, 2)]
    assert groups[20:] == [(40, 41, 20, 40), (41, 42, 40, 60), (42, 43, 60, 80)]


def test_a_sign_read_by_another_name_is_believed_next_to_what_sounds_alike():
    assert pair(["mɛn", "maɪnəs faɪv"], ["mɛn", "dæʃ", "faɪv"]) == [(0, 1, 0, 1), (1, 2, 1, 3)]
