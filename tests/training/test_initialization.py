import json
import re

import pytest
import torch
from training_runs import SMALL_DISCRIMINATOR

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.modeling_vits import add_training_modules
from hf_vits.text.espeak_chunks import EspeakError
from hf_vits.text.frontend import FrontEnd
from hf_vits.training import ModelInitialization
from hf_vits.training.initialization import BLANK, build_tokenizer

IDS = torch.tensor([[0, 3, 0, 5, 0, 9, 0]])


def speech(model, **controls):
    return model.eval()(IDS, generator=torch.Generator().manual_seed(3), **controls).waveform


def test_a_voice_that_gets_the_parts_it_lacked_sounds_as_before(make_model):
    spoken = make_model(inference_only=True, resblock_type="2")
    whole, fresh = add_training_modules(spoken)
    assert not whole.missing_for_training()
    torch.testing.assert_close(speech(whole), speech(spoken), rtol=0, atol=0)
    assert fresh == {name for name, _ in whole.named_parameters()} - {name for name, _ in spoken.named_parameters()}


def test_what_a_voice_lacked_is_said_in_one_line(make_model, make_trainer, caplog):
    discriminator = VitsDiscriminatorConfig(**SMALL_DISCRIMINATOR)
    start = ModelInitialization.from_model(make_model(inference_only=True, sampling_rate=2000), discriminator)
    assert start.new_modules and start.new_discriminator and not caplog.messages
    make_trainer(start=start)
    assert [line for line in caplog.messages if "posterior_encoder" in line and "discriminator" in line]


@pytest.mark.thorough
def test_modules_of_a_completed_copy_are_taken_and_no_longer_new(make_model):
    base = make_model(inference_only=True)
    start, (completed, new) = ModelInitialization.from_model(base), add_training_modules(base)
    with torch.no_grad():
        for parameter in completed.parameters():
            parameter.add_(1)
    before = speech(start.model)
    start.add_speakers(["ada", "bea"])
    start.completion = lambda: completed
    start.complete()
    assert start.new_modules == ["discriminator"]
    assert all(torch.equal(start.model.get_parameter(name), completed.get_parameter(name)) for name in new)
    assert torch.equal(speech(start.model, speaker_id="ada"), before)


def test_a_voice_from_scratch_has_no_parts_to_be_trained_first(make_start):
    assert not make_start().new_modules


@pytest.mark.thorough
def test_equal_seeds_start_equal_and_leave_other_randomness_alone(make_config):
    torch.manual_seed(5)
    first = ModelInitialization.from_scratch(make_config(), seed=3).model.state_dict()
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    second = ModelInitialization.from_scratch(make_config(), seed=3).model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_trained_voice_brings_its_discriminators(make_trainer):
    trainer = make_trainer(max_steps=1)
    trainer.train()
    start = ModelInitialization.from_pretrained(str(trainer.output_dir))
    assert not start.new_modules
    discriminator = trainer.discriminator.module.state_dict()
    assert all(torch.equal(value, discriminator[name]) for name, value in start.discriminator.state_dict().items())
    released = VitsModel.from_pretrained(trainer.output_dir)
    torch.testing.assert_close(speech(start.model), speech(released), rtol=0, atol=0)
    assert VitsTokenizer.from_pretrained(trainer.output_dir)


@pytest.mark.thorough
def test_the_first_speaker_takes_over_a_voice_without_names(make_model):
    start = ModelInitialization.from_model(make_model())
    before = speech(start.model)
    start.add_speakers(["anna", "bert"])
    assert start.model.config.speaker_names == ["anna", "bert"]
    torch.testing.assert_close(speech(start.model, speaker_id="anna"), before, rtol=0, atol=0)
    start.add_speakers(["bert", "carl"])
    assert start.model.config.speaker_names == ["anna", "bert", "carl"]


@pytest.mark.parametrize("width", [0.125, 0.25, 1.0])
def test_narrower_discriminators_have_so_many_times_as_many_channels(width):
    config = VitsDiscriminatorConfig()
    narrow = config.scale_channels_by(width)
    assert list(narrow.period_channels) == [max(4, channels * width) for channels in config.period_channels]


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("lacks_parts", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_voice_in_half_precision_is_trained_in_single(make_model, make_trainer, dtype, lacks_parts):
    spoken = make_model(inference_only=lacks_parts, sampling_rate=2000).to(dtype)
    discriminator = VitsDiscriminatorConfig(periods=[2], period_channels=[4, 8], scale_channels=[4, 4, 8, 8, 8, 8])
    trainer = make_trainer(start=ModelInitialization.from_model(spoken, discriminator), max_steps=1, new_module_steps=0)
    assert trainer.train().skipped_steps == 0
    assert {value.dtype for value in VitsModel.from_pretrained(trainer.output_dir).parameters()} == {torch.float32}


def test_new_speakers_are_drawn_by_the_seed_alone(make_model):
    tables = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        start = ModelInitialization(make_model(), None)
        start.add_speakers(["ada", "bea"], seed=4)
        tables.append({name: value for name, value in start.model.state_dict().items()})
    assert all(torch.equal(value, tables[1][name]) for name, value in tables[0].items())


def test_a_voice_made_from_mms_has_its_license_whatever_its_card_says(make_model, tmp_path):
    voice = tmp_path / "voice"
    make_model().save_pretrained(voice)
    (voice / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: facebook/mms-tts-hin\n---\n# A voice\n")

    origin = ModelInitialization.from_pretrained(str(voice)).provenance

    assert origin.is_non_commercial and "apache-2.0" in origin.license_in_words


TEXTS = ["A hope s, Zoë!", "cabbage; 7 ¿", "no."]


def make(texts=TEXTS, **options):
    return build_tokenizer(texts, phonemize=False, **options)


def test_it_says_every_character_of_its_texts_with_blanks_between():
    tokenizer = make()
    for text in TEXTS:
        assert not tokenizer.dropped_characters(text)
        ids = tokenizer(text).input_ids
        assert ids[::2] == [0] * (len(ids) // 2 + 1)
        assert "".join(tokenizer.convert_ids_to_tokens(ids[1::2])) == text.lower()


def test_ids_are_those_of_the_sorted_symbols_after_the_blank_whatever_the_order_of_the_texts():
    symbols = sorted(set("".join(TEXTS).lower()))
    expected = {symbol: number for number, symbol in enumerate([BLANK, *symbols])}
    for texts in (TEXTS, [*TEXTS[::-1], BLANK]):
        vocabulary = make(iter(texts)).get_vocab()
        assert {symbol: number for symbol, number in vocabulary.items() if symbol != "<unk>"} == expected


def test_symbols_rarer_than_asked_for_are_left_out():
    vocabulary = make(["aab", "acc"], min_count=2).get_vocab()
    assert set(vocabulary) - {"<unk>"} == {BLANK, "a", "c"}


def test_its_texts_are_prepared_as_it_will_prepare_them():
    assert "A" in make(normalize=False).get_vocab() and "A" not in make().get_vocab()


def test_it_is_the_same_after_saving_and_loading(tmp_path):
    tokenizer = make()
    tokenizer.save_pretrained(tmp_path)
    loaded = VitsTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert [loaded(text).input_ids for text in TEXTS] == [tokenizer(text).input_ids for text in TEXTS]
    assert json.loads((tmp_path / "vocab.json").read_text())[BLANK] == 0


@pytest.mark.parametrize("texts", [[], ["", BLANK]])
def test_texts_without_a_symbol_are_an_error(texts):
    with pytest.raises(ValueError, match="no token.*text column"):
        make(texts)


def test_an_unknown_option_is_an_error_that_lists_those_there_are():
    with pytest.raises(ValueError, match=r"\['phonemise'\].*'phonemize'"):
        make(phonemise=True)


def test_a_text_that_espeak_cannot_speak_is_left_out_and_the_others_make_the_vocabulary(monkeypatch, caplog):
    def symbols(front_end, text):
        if text.text == "deadly":
            raise EspeakError("espeak-ng crashed at 'deadly'")
        return text

    monkeypatch.setattr(FrontEnd, "tokens", symbols)
    assert set(build_tokenizer(["ab", "deadly", "bc"], phonemize=False).get_vocab()) >= {"a", "b", "c"}
    assert "'deadly'" in caplog.text
    with pytest.raises(ValueError, match="no token"):
        build_tokenizer(["deadly"], phonemize=False)


@pytest.mark.parametrize(
    ("parameters", "steps", "words", "advises"),
    [
        (
            {"posterior_encoder.conv_pre.bias"},
            0,
            "posterior_encoder, discriminator: .* with the rest from the first",
            True,
        ),
        ({"posterior_encoder.conv_pre.bias"}, 300, "posterior_encoder, discriminator: .* for 300 steps", True),
        (set(), 1000, "of discriminator: .* before the rest, for 1,000 steps", False),
    ],
)
def test_a_warning_says_how_long_new_modules_are_trained_alone(make_start, caplog, parameters, steps, words, advises):
    start = make_start()
    start.new_parameters, start.new_discriminator = frozenset(parameters), True
    start.warn_of_new_modules(steps)
    assert re.search(words, caplog.text) and ("complete_base" in caplog.text) == advises
