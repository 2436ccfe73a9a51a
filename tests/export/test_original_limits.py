"""What the original's code has no setting for is refused by name, and not written as if it were there."""

import pytest
from export_voices import PAPER
from original_discriminators import PAPER as PAPER_DISCRIMINATORS
from original_discriminators import SMALL

from hf_vits import convert
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.export import export, original


@pytest.fixture
def voice(make_model):
    return lambda **fields: make_model(**{**PAPER, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prior_encoder_num_flows": 3}, "prior_encoder_num_flows is 3, there 4"),
        ({"window_size": None}, "window_size is None, there 4"),
        ({"hidden_act": "gelu"}, "hidden_act is gelu, there relu"),
        ({"speaker_embedding_size": 6}, "one speaker has a speaker vector"),
        (
            {"use_stochastic_duration_prediction": False, "duration_predictor_filter_channels": 12},
            "duration_predictor_filter_channels is 12, there 256",
        ),
    ],
)
def test_a_voice_that_the_original_s_code_cannot_build_is_refused_by_what_differs(
    fields, message, voice, make_tokenizer, tmp_path
):
    with pytest.raises(ValueError, match=message):
        export(voice(**fields), make_tokenizer(), tmp_path / "out", target="original")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"periods": [2, 3, 5, 7, 13]}, r"periods is \[2, 3, 5, 7, 13\], there \[2, 3, 5, 7, 11\]"),
        ({"period_stride": 2}, "period_stride is 2, there 3"),
        ({"period_kernel_size": 3}, "period_kernel_size is 3, there 5"),
        ({"scales": 3}, "scales is 3, there 1"),
        ({"period_channels": [3, 4, 5, 6, 7]}, "period_channels is .*7], there .*6]"),
        ({"scale_channels": [4, 8, 16, 16, 16, 32]}, "scale_channels is .*32], there .*16]"),
    ],
)
def test_discriminators_that_the_original_s_code_cannot_build_are_refused_by_what_differs(
    fields, message, voice, narrow, make_tokenizer, tmp_path
):
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**{**SMALL, **fields}))
    with pytest.raises(ValueError, match=f"{message}.*leave out `discriminator`"):
        export(voice(), make_tokenizer(), tmp_path / "out", target="original", discriminator=discriminator)
    assert not (tmp_path / "out").exists()


def test_the_discriminators_that_the_original_s_code_builds_are_the_paper_s():
    original.check_discriminator(VitsDiscriminatorConfig(**PAPER_DISCRIMINATORS))
    with pytest.raises(ValueError, match="period_channels.*scale_channels"):
        original.check_discriminator(VitsDiscriminatorConfig(**SMALL))


def test_discriminators_that_come_back_as_others_are_not_kept(voice, make_tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(original, "check_discriminator", lambda config: None)
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**{**SMALL, "period_stride": 2}))
    with pytest.raises(ValueError, match="`period_stride` of the discriminators is 2 here and 3"):
        export(voice(), make_tokenizer(), tmp_path / "out", target="original", discriminator=discriminator)
    assert not (tmp_path / "out").exists()


def test_layers_that_a_voice_does_not_have_are_not_held_against_it(voice, make_tokenizer, tmp_path):
    model = voice(inference_only=True, posterior_encoder_num_wavenet_layers=3, posterior_input="mel")

    export(model, make_tokenizer(), tmp_path / "out", target="original")

    assert convert(tmp_path / "out").config.inference_only
