"""A run that would number tokens or speakers otherwise than its checkpoint does is not resumed."""

import pytest

from hf_vits.training import Columns, VitsTrainer
from hf_vits.training.initialization import build_tokenizer
from hf_vits.training.run_checks import check_numbering

TEXTS = ["a hope", "cabbage", "feed me", "no."]


@pytest.fixture
def checkpoint(make_model, speakers, tmp_path):
    """Of a voice with the speakers ada, bea and cem."""
    make_model(**speakers).save_pretrained(tmp_path / "checkpoint-1")
    build_tokenizer(TEXTS, phonemize=False).save_pretrained(tmp_path / "checkpoint-1")
    return tmp_path / "checkpoint-1"


def test_the_same_symbols_options_and_speakers_are_resumed(checkpoint, make_config, speakers):
    check_numbering(checkpoint, build_tokenizer(TEXTS[::-1], phonemize=False), make_config(**speakers))


@pytest.mark.parametrize("frame", [{}, {"bos_token": "a", "eos_token": "."}, {"bos_token": "a", "add_bos_eos": False}])
def test_a_saved_tokenizer_is_the_one_that_was_saved(checkpoint, make_tokenizer, make_config, speakers, frame):
    make_tokenizer(**frame).save_pretrained(checkpoint)
    check_numbering(checkpoint, make_tokenizer(**frame), make_config(**speakers))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"texts": [*TEXTS[:3], "no!"]}, r"token '!' is None there and 2 here"),
        ({"options": {"normalize": False}}, r"tokenizer option 'normalize' is True there and False here"),
        ({"names": ["bea", "cem", "zoe"]}, r"speaker 'ada' is 0 there and None here"),
        ({"names": ["bea", "ada", "cem"]}, r"speaker 'ada' is 0 there and 1 here"),
    ],
)
def test_another_symbol_option_or_speaker_is_an_error_that_says_which_and_what_to_do(
    checkpoint, make_config, speakers, change, expected
):
    tokenizer = build_tokenizer(change.get("texts", TEXTS), **{"phonemize": False, **change.get("options", {})})
    config = make_config(**{**speakers, "speaker_names": change.get("names", speakers["speaker_names"])})
    with pytest.raises(
        ValueError, match=rf"checkpoint-1 has other ids .*{expected}.*`model_name_or_path`.*`output_dir`"
    ):
        check_numbering(checkpoint, tokenizer, config)


def test_a_run_whose_speakers_have_moved_is_not_resumed(
    make_start, make_settings, make_data, make_tokenizer, speakers, parameters_of, assert_equal, forget_accelerate
):
    def trainer_of(names):
        forget_accelerate()
        start = make_start(**{**speakers, "speaker_names": sorted(names)})
        data, settings = make_data(6, who=[*names, *names]), make_settings(max_steps=2)
        return VitsTrainer(start, settings, data, None, make_tokenizer(), Columns(speaker="who"))

    trainer_of(["ada", "bea", "cem"]).train()
    other = trainer_of(["zoe", "bea", "cem"])
    before = parameters_of(other)
    with pytest.raises(ValueError, match=r"speaker 'ada' is 0 there and None here"):
        other.train(resume_from_checkpoint="latest")
    assert_equal(parameters_of(other), before)
