"""`hf-vits speak --explain` prints how a text is read; lexicon and expansion reach the speech."""

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("unicode_rbnf")
from hf_vits import TextToSpeechPipeline, VitsTokenizer
from hf_vits.cli import main
from hf_vits.text.lexicon import user_lexicon

LETTERS = {letter: i for i, letter in enumerate("_abcdefghijklmnopqrstuvwxyz ,.'-")}


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def voice(make_model, tmp_path):
    folder = tmp_path / "voice"
    model = make_model(vocab_size=40)
    model.save_pretrained(folder)
    tokenizer = VitsTokenizer.from_vocab(LETTERS, pad_token="_", phonemize=False, language="eng")
    tokenizer.save_pretrained(folder)
    return TextToSpeechPipeline(model, tokenizer), str(folder)


def test_explain_prints_forms_rules_and_tokens_without_speaking(voice, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["speak", "--explain", "--voice", voice[1], "Dr. No paid $5. Why?"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Dr. No paid $5.",
        "    Dr.  Doctor        title",
        "    $5   five dollars  money",
        "    doctor no paid five dollars.",
        "Why?",
        "    why",
    ]
    assert not (tmp_path / "speech.wav").exists()


def test_forms_are_expanded_unless_it_is_turned_off(voice, tmp_path):
    pipe, folder = voice
    for options, text in ((["--no-expand"], "it costs ."), ([], "it costs five dollars.")):
        output = str(tmp_path / f"{len(options)}.wav")
        assert main(["speak", "it costs $5.", "--voice", folder, "--seed", "3", "--output", output, *options]) == 0
        expected = pipe(text, generator=torch.Generator().manual_seed(3))["audio"]
        np.testing.assert_allclose(soundfile.read(output)[0], expected, rtol=0, atol=1.1 / 32767)


def test_the_users_lexicon_applies_and_that_of_the_call_precedes_it(voice, tmp_path, capsys):
    path = user_lexicon()
    path.parent.mkdir(parents=True)
    path.write_text("gif\tjiff\nanna\t[[ɑnɑ]]\nroute\troot\n", encoding="utf-8")
    words = tmp_path / "words.tsv"
    words.write_text("route\trowt\n", encoding="utf-8")
    arguments = ["speak", "--explain", "--voice", voice[1], "--lexicon", str(words), "A gif of Anna on route."]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1].strip() == "a jiff of anna on rowt."


def test_phonemes_for_a_voice_of_letters_are_one_line_with_the_place(voice, tmp_path, capsys):
    words = tmp_path / "words.tsv"
    words.write_text("a\tb\nanna\t[[ɑnɑ]]\n", encoding="utf-8")
    assert main(["speak", "Anna", "--voice", voice[1], "--lexicon", str(words)]) == 1
    assert "words.tsv, line 2 gives phonemes for 'anna'" in capsys.readouterr().err
