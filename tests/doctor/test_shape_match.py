"""Shapes of tensors are matched with the file's configuration, or with the one that they imply."""

import pytest

from hf_vits.doctor.shape_match import expected_shapes, match_shapes, match_without_config


@pytest.fixture
def shapes(make_config):
    return expected_shapes(make_config())


def given_of(config):
    return {name: value for name, value in config.to_dict().items() if name in vars(config)}


def test_tensors_of_a_configuration_match_it(make_config, shapes):
    match = match_shapes(make_config(), {}, shapes)
    assert match.mismatches == 0 and match.differs == {}


def test_a_missing_an_unexpected_and_a_misshaped_tensor_are_named(make_config, shapes):
    changed = dict(shapes)
    lost = changed.pop("flow.flows.0.conv_pre.weight")
    changed |= {"extra.weight": (1,), "decoder.conv_post.weight": (9, 9, 9)}
    config = make_config()
    match = match_shapes(config, given_of(config), changed)
    assert lost and match.missing == ["flow.flows.0.conv_pre.weight"] and match.unexpected == ["extra.weight"]
    assert match.misshaped == {"decoder.conv_post.weight": ((9, 9, 9), shapes["decoder.conv_post.weight"])}
    assert match.mismatches == 3


def test_a_field_that_the_tensors_contradict_is_named_with_both_values(make_config, shapes):
    config = make_config(vocab_size=30)
    match = match_shapes(config, given_of(config), shapes)
    assert match.mismatches == 0 and match.differs == {"vocab_size": (30, 20)} and match.config.vocab_size == 20


def test_without_a_configuration_shapes_imply_one(make_config, shapes):
    match = match_without_config(shapes)
    assert match.mismatches == 0 and match.config.hidden_size == make_config().hidden_size
