"""Names of tensors are translated by rules, and every tensor is accounted for."""

import pytest
import torch

from hf_vits.conversion.key_mapping import translate

RULES = ((r"^a\.", "left."), (r"^b\.", "right."), (r"\.gamma$", ".weight"))


def test_rules_rename_in_turn_and_every_tensor_is_accounted_for():
    one, two = torch.zeros(1), torch.ones(2)
    renamed, notes = translate(
        {"a.norm.gamma": one, "b.bias": two, "b.old.x": one, "b.old.y": one}, RULES, [(r"right\.old\.", "of no use")]
    )

    assert renamed == {"left.norm.weight": one, "right.bias": two}
    assert notes == ("Left out, of no use: b.old.x, b.old.y.",)


def test_a_name_that_no_rule_knows_is_an_error():
    with pytest.raises(ValueError, match="2 tensors belong to no part .*: c.bias, c.weight"):
        translate(dict.fromkeys(["a.x", "c.bias", "c.weight"], torch.zeros(1)), RULES)


def test_two_names_for_one_tensor_are_an_error():
    with pytest.raises(ValueError, match=r"a\.x\.weight and a\.x\.gamma both are left\.x\.weight"):
        translate(dict.fromkeys(["a.x.weight", "a.x.gamma"], torch.zeros(1)), RULES)
