import pytest
import torch

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.modeling_vits import add_training_modules
from hf_vits.training import ModelInitialization

IDS = torch.tensor([[0, 3, 0, 5, 0, 9, 0]])


def speech(model, **controls):
    return model.eval()(IDS, generator=torch.Generator().manual_seed(3), **controls).waveform


def test_a_voice_that_gets_the_parts_it_lacked_sounds_as_before(make_model):
    spoken = make_model(inference_only=True, resblock_type="2")
    whole, fresh = add_training_modules(spoken)
    assert not whole.missing_for_training()
    torch.testing.assert_close(speech(whole), speech(spoken), rtol=0, atol=0)
    assert fresh == {name for name, _ in whole.named_parameters()} - {name for name, _ in spoken.named_parameters()}


def test_what_a_voice_lacked_is_said_in_one_line(make_model, caplog):
    start = ModelInitialization.from_voice(make_model(inference_only=True))
    assert start.has_fresh_parts and start.fresh_discriminator
    assert [line for line in caplog.messages if "posterior_encoder" in line and "discriminator" in line]


def test_a_voice_from_scratch_has_no_parts_to_be_trained_first(make_start):
    assert not make_start().has_fresh_parts


def test_equal_seeds_start_equal_and_leave_other_randomness_alone(make_config):
    torch.manual_seed(5)
    first = ModelInitialization.from_scratch(make_config(), seed=3).model.state_dict()
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    second = ModelInitialization.from_scratch(make_config(), seed=3).model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_trained_voice_brings_its_judges(make_trainer):
    trainer = make_trainer(max_steps=1)
    trainer.train()
    start = ModelInitialization.load(str(trainer.output_dir))
    assert not start.has_fresh_parts
    judges = trainer.discriminator.module.state_dict()
    assert all(torch.equal(value, judges[name]) for name, value in start.discriminator.state_dict().items())
    released = VitsModel.from_pretrained(trainer.output_dir)
    torch.testing.assert_close(speech(start.model), speech(released), rtol=0, atol=0)
    assert VitsTokenizer.from_pretrained(trainer.output_dir)


def test_the_first_speaker_takes_over_a_voice_without_names(make_model):
    start = ModelInitialization.from_voice(make_model())
    before = speech(start.model)
    start.add_speakers(["anna", "bert"])
    assert start.model.config.speaker_names == ["anna", "bert"]
    torch.testing.assert_close(speech(start.model, speaker_id="anna"), before, rtol=0, atol=0)
    start.add_speakers(["bert", "carl"])
    assert start.model.config.speaker_names == ["anna", "bert", "carl"]


@pytest.mark.parametrize("width", [0.125, 0.25, 1.0])
def test_narrower_judges_have_so_many_times_as_many_channels(width):
    config = VitsDiscriminatorConfig()
    narrow = config.scale_channels_by(width)
    assert list(narrow.period_channels) == [max(4, channels * width) for channels in config.period_channels]


@pytest.mark.parametrize("lacks_parts", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_voice_in_half_precision_is_trained_in_single(make_model, make_trainer, dtype, lacks_parts):
    spoken = make_model(inference_only=lacks_parts, sampling_rate=2000).to(dtype)
    judges = VitsDiscriminatorConfig(periods=[2], period_channels=[4, 8], scale_channels=[4, 4, 8, 8, 8, 8])
    trainer = make_trainer(start=ModelInitialization.from_voice(spoken, judges), max_steps=1, new_module_steps=0)
    assert trainer.train().skipped == 0
    assert {value.dtype for value in VitsModel.from_pretrained(trainer.output_dir).parameters()} == {torch.float32}


def test_new_speakers_are_drawn_by_the_seed_alone(make_model):
    tables = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        start = ModelInitialization(make_model(), None)
        start.add_speakers(["ada", "bea"], seed=4)
        tables.append({name: value for name, value in start.model.state_dict().items()})
    assert all(torch.equal(value, tables[1][name]) for name, value in tables[0].items())


def test_a_voice_made_from_mms_has_its_licence_whatever_its_card_says(make_model, tmp_path):
    voice = tmp_path / "voice"
    make_model().save_pretrained(voice)
    (voice / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: facebook/mms-tts-hin\n---\n# A voice\n")

    origin = ModelInitialization.load(str(voice)).origin

    assert origin.is_non_commercial and "apache-2.0" in origin.license_in_words
