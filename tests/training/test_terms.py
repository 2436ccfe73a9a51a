import pytest
import torch

from hf_vits.data.batch import VitsBatch
from hf_vits.data.dataset import ClipFilter
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.losses import discriminator_loss
from hf_vits.training.train_step import adversarial_losses, frozen, prior_losses, reconstruction_losses, weighted_sum
from hf_vits.training.training_arguments import LossWeights, VitsTrainingArguments

SMALL = {"period_channels": [4, 6], "scale_channels": [4, 8, 8, 8, 8, 8], "periods": [2, 3]}


@pytest.fixture
def players(make_model):
    torch.manual_seed(0)
    return VitsGenerator(make_model(), 16), VitsDiscriminator(VitsDiscriminatorConfig(**SMALL))


@pytest.fixture
def batch():
    noise = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 20, (2, 9), generator=noise)
    waveform = torch.randn(2, 1, 300, generator=noise) * 0.2
    return VitsBatch(ids, torch.tensor([9, 6]), waveform, torch.tensor([300, 200]), torch.arange(2))


def terms_of(out, judges):
    with torch.no_grad():
        real = judges(out.real)
    return {**adversarial_losses(real, judges(out.fake)), **reconstruction_losses(out), **prior_losses(out)}


def test_the_generators_step_leaves_no_gradient_in_the_judges(players, batch):
    generator, judges = players
    with frozen(judges):
        weighted_sum(terms_of(generator(batch), judges), LossWeights()).backward()
    assert all(parameter.grad is None and parameter.requires_grad for parameter in judges.parameters())
    assert generator.model.decoder.conv_pre.weight.grad.abs().sum() > 0


def test_the_judges_step_leaves_no_gradient_in_the_generator(players, batch):
    generator, judges = players
    out = generator(batch)
    discriminator_loss(judges(out.real).logits, judges(out.fake.detach()).logits).backward()
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert all(parameter.grad is not None for parameter in judges.parameters())


def test_every_parameter_of_the_generator_learns_from_the_sum(players, batch):
    generator, judges = players
    weighted_sum(terms_of(generator(batch), judges), LossWeights()).backward()
    assert not [name for name, parameter in generator.named_parameters() if parameter.grad is None]


def test_terms_and_weights_have_the_same_names(players, batch):
    generator, judges = players
    terms = terms_of(generator(batch), judges)
    expected = sum(getattr(LossWeights(mel=3.0), name) * value for name, value in terms.items())
    torch.testing.assert_close(weighted_sum(terms, LossWeights(mel=3.0)), expected)
    assert terms.keys() == vars(LossWeights()).keys()
    with pytest.raises(ValueError, match=r"loudness.*mel"):
        weighted_sum({**terms, "loudness": terms["mel"]}, LossWeights())


def test_weights_and_limits_of_the_settings_are_their_own_unless_set():
    assert (VitsTrainingArguments().weights, VitsTrainingArguments().limits) == (LossWeights(), ClipFilter())
    changed = VitsTrainingArguments(mel_weight=3.0, kl_weight=2.0, max_tokens=5)
    assert (changed.weights, changed.limits) == (LossWeights(mel=3.0, kl=2.0), ClipFilter(max_tokens=5))


def test_judges_one_by_one_decide_what_all_decide_together(players, batch):
    generator, judges = players
    out = generator(batch)
    together = adversarial_losses(judges(out.real), judges(out.fake))
    alone = [adversarial_losses(judge(out.real), judge(out.fake)) for judge in judges.sub_discriminators()]
    assert len(alone) == 3
    for name, value in together.items():
        torch.testing.assert_close(sum(terms[name] for terms in alone), value)


def test_frozen_parameters_stay_frozen_after(players):
    _, judges = players
    judges.discriminators[0].requires_grad_(False)
    with frozen(judges):
        assert not any(parameter.requires_grad for parameter in judges.parameters())
    trained = {name.split(".")[1] for name, parameter in judges.named_parameters() if parameter.requires_grad}
    assert trained == {"1", "2"}
