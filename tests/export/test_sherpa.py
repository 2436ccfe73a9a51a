import re

import numpy as np
import pytest
import soundfile
from export_voices import KINDS, LETTERS, documented

from hf_vits.export import export
from hf_vits.export.sherpa import notes, table
from hf_vits.export.tokens import tokens_of


@pytest.mark.parametrize(
    ("layout", "kind"), [("as in MMS", "paper"), ("with a frame", "speakers"), ("without blanks", "paper")]
)
def test_sherpa_lays_letters_out_as_the_voice_was_trained(
    make_model, make_voice_tokenizer, tmp_path, sherpa_says, silent, layout, kind
):
    fields = {
        "as in MMS": {},
        "with a frame": {"bos_token": "n", "eos_token": "o", "blank_token": "."},
        "without blanks": {"add_blank": False},
    }[layout]
    tokenizer, model = make_voice_tokenizer(**fields), make_model(**KINDS[kind])
    export(model, tokenizer, tmp_path / "out", "sherpa")
    for text in ("A cabé Élan", "hidden", "go"):
        for speaker in (0, 2) if kind == "speakers" else (None,):
            waveform = sherpa_says(tmp_path / "out", text, speaker)
            expected, _ = silent(model, [tokenizer(text).input_ids], speaker)
            np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-4)


def test_sherpa_speaks_phonemes_in_pipers_frame(make_model, piper_tokenizer, tmp_path, sherpa_says, silent):
    model = make_model(**KINDS["piper"])
    notes = export(model, piper_tokenizer, tmp_path / "out", "sherpa")
    assert "phoneme_codepoints" in notes[0]
    ids = piper_tokenizer("Hello, no need.").input_ids
    phonemes = [piper_tokenizer.decoder[index] for index in ids[2:-1:2]]
    waveform = sherpa_says(tmp_path / "out", phonemes=phonemes)
    np.testing.assert_allclose(waveform, silent(model, [ids])[0], rtol=0, atol=1e-4)


def test_phonemes_without_pipers_frame_are_given_as_text(
    make_model, make_voice_tokenizer, tmp_path, sherpa_says, silent
):
    tokenizer = make_voice_tokenizer("_ əlˈoʊhɛɹtdsnæ.", phonemize=True, phoneme_language="en-us")
    model = make_model()
    notes = export(model, tokenizer, tmp_path / "out", "sherpa")
    assert "as if they were the text" in notes[0]
    ids = tokenizer("Hello there").input_ids
    waveform = sherpa_says(tmp_path / "out", "".join(tokenizer.decoder[index] for index in ids[1::2]))
    np.testing.assert_allclose(waveform, silent(model, [ids])[0], rtol=0, atol=1e-4)


@pytest.mark.thorough
def test_tokens_are_single_code_points_each_once(make_model, make_voice_tokenizer, tmp_path):
    # The original VITS has 177 tokens for 178 rows, since it names one twice; that row has no token here.
    tokens = ["_", "<x>", "\t", *LETTERS[1:18]]
    notes = export(make_model(vocab_size=21), make_voice_tokenizer(tokens), tmp_path / "out", "sherpa")
    assert "<x>" in notes[0]
    lines = (tmp_path / "out" / "tokens.txt").read_text().splitlines()
    found = [line.rsplit(" ", 1) for line in lines]
    assert len({token for token, _ in found}) == len(found)
    assert all(len(token) == 1 for token, _ in found) and "\t" not in dict(found)
    assert dict(found)["A"] == dict(found)["a"] and [" ", str(tokens.index(" "))] in found


@pytest.mark.thorough
def test_what_sherpa_does_not_do_with_a_text_is_noted(make_model, make_voice_tokenizer, tmp_path):
    tokenizer = make_voice_tokenizer("_aAb", normalize=False, unicode_form="NFD", is_uroman=True)
    notes = "\n".join(export(make_model(), tokenizer, tmp_path / "out", "sherpa"))
    assert "romanize" in notes and "never used: A" in notes and "NFD" in notes


VOICES = {
    "letters": ("_ abiσςάs\u00a0\u3000.'", {}),
    "no final sigma": ("_ abiσ.'", {}),
    "Turkish": ("_ abiıçs.'", {"cleaner": "basic_turkish_cleaners"}),
    "Greek with a cleaner": ("_ abiσςs.'", {"cleaner": "basic_cleaners"}),
    "English with a cleaner": ("_ abdins.,'", {"cleaner": "multilingual_cleaners", "language": "eng"}),
    "marks": ("_ abeσςs\u0301\u0307.'", {}),
    "capitals": ("_ aAbBİiı.'", {"normalize": False}),
}
RANGES = [*range(0x250), *range(0x370, 0x400), *range(0x1E00, 0x1E80), *range(0x2000, 0x2070), 0x3000]
SAID = [chr(code) for code in RANGES if chr(code).lower() != chr(code).upper() or chr(code).isspace()]
SAID += [mark for mark in map(chr, range(33, 127)) if not mark.isalnum()]


def as_sherpa_reads(lines, text):
    """The ids that sherpa-onnx 2 takes for a text: a line of the table holds a token and its id."""
    table = {}
    for line in lines.split("\n")[:-1]:
        token, number = line.split(" ") if not line.startswith("  ") else (" ", line.strip())
        assert token == " " or token.strip("\t\n\r\v\f ") == token
        table[token] = int(number)
    small = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    return [table[letter] for letter in small if letter in table]


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("voice", VOICES)
def test_a_table_speaks_all_that_the_voice_speaks_or_a_note_names_it(make_voice_tokenizer, voice):
    letters, options = VOICES[voice]
    tokenizer = make_voice_tokenizer(letters, **options)
    tokens = tokens_of(tokenizer)
    messages = "\n".join(notes(tokenizer, tokens, False))
    words = re.split("[ ,.]+", messages)
    for letter in SAID:
        for text in (f"a{letter}a", f"a{letter} a") if letter.isalpha() else (f"a{letter}a",):
            named = f"U+{ord(letter):04X}" in messages or letter in words
            named |= "lowercases A to Z" in messages and "A" <= letter <= "Z"
            ours = tokenizer(text).input_ids[1::2]
            assert named or as_sherpa_reads(table(tokens), text) == ours, (text, ours)
    assert ("U+03A3" in messages) == ("σ" in letters)
    assert "U+00A0" not in messages and "U+3000" not in messages


@pytest.mark.parametrize("voice", ["letters", "Turkish", "marks"])
def test_sherpa_reads_the_table_as_these_tests_do(
    make_model, make_voice_tokenizer, tmp_path, sherpa_says, silent, voice
):
    letters, options = VOICES[voice]
    tokenizer, model = make_voice_tokenizer(letters, **options), make_model(vocab_size=20)
    export(model, tokenizer, tmp_path / "out", "sherpa")
    lines = (tmp_path / "out" / "tokens.txt").read_text(encoding="utf-8")
    for text in ("aİa", "a\u00a0b", "a\u3000b", "aσΣa", "bIa", "ba"):
        ids = as_sherpa_reads(lines, text)
        if len(ids) == len(text):  # else it complains of what it skips
            expected, _ = silent(model, [[0, *(i for index in ids for i in (index, 0))]])
            np.testing.assert_allclose(sherpa_says(tmp_path / "out", text), expected, rtol=0, atol=1e-4)


def test_what_sherpa_loses_stands_in_the_card(make_model, make_voice_tokenizer, tmp_path):
    messages = export(make_model(), make_voice_tokenizer("_ aeσςs\u0301\u0307.'"), tmp_path / "out", "sherpa")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    lost = [note for note in messages if "Lost in sherpa-onnx" in note or "U+03A3" in note]
    assert len(lost) == 2 and all(note in card for note in lost)
    assert all(letter in lost[0] for letter in "ÁáÉéĖėŚś")


def test_a_frame_at_one_end_only_is_refused_with_the_way_out(make_model, make_voice_tokenizer, tmp_path):
    with pytest.raises(ValueError, match="one end of a text only.*piper"):
        export(make_model(), make_voice_tokenizer("_^abc", bos_token="^"), tmp_path / "out", "sherpa")
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_the_documentation_speaks_letters(make_model, make_voice_tokenizer, tmp_path, monkeypatch):
    pytest.importorskip("sherpa_onnx", reason="needs the package sherpa-onnx")
    letters = make_voice_tokenizer("_abcdefhilnortvx sé.")
    export(make_model(), letters, tmp_path / "out", "sherpa")
    monkeypatch.chdir(tmp_path)
    exec(documented("a text in the letters"), {})
    samples, rate = soundfile.read("letters.wav")
    assert rate == 16_000 and np.abs(samples).max() > 0
