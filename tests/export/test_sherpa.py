import numpy as np
import pytest
import soundfile
from export_voices import KINDS, LETTERS, documented

from hf_vits.export import export


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


def test_tokens_are_single_code_points_each_once(make_model, make_voice_tokenizer, tmp_path):
    # The original VITS has 177 symbols for 178 rows, since it names one twice; that row has no symbol here.
    symbols = ["_", "<x>", "\t", *LETTERS[1:18]]
    notes = export(make_model(vocab_size=21), make_voice_tokenizer(symbols), tmp_path / "out", "sherpa")
    assert "<x>" in notes[0]
    lines = (tmp_path / "out" / "tokens.txt").read_text().splitlines()
    found = [line.rsplit(" ", 1) for line in lines]
    assert len({symbol for symbol, _ in found}) == len(found)
    assert all(len(symbol) == 1 for symbol, _ in found) and "\t" not in dict(found)
    assert dict(found)["A"] == dict(found)["a"] and [" ", str(symbols.index(" "))] in found


def test_what_sherpa_does_not_do_with_a_text_is_told(make_model, make_voice_tokenizer, tmp_path):
    tokenizer = make_voice_tokenizer("_aAb", normalize=False, unicode_form="NFD", is_uroman=True)
    notes = "\n".join(export(make_model(), tokenizer, tmp_path / "out", "sherpa"))
    assert "romanise" in notes and "never used: A" in notes and "NFD" in notes


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
