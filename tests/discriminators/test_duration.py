"""Logits of durations depend on tokens, not on padding."""

import torch
from tiny_voices import SMALLEST

from hf_vits.discriminators.duration import DurationDiscriminator


def test_an_item_has_the_logits_that_it_has_alone_and_none_in_its_padding(make_config):
    config = make_config(**SMALLEST)
    one = DurationDiscriminator(config).double()
    hidden, durations = (torch.randn(1, size, 9, dtype=torch.float64) for size in (config.text_size, 1))
    mask = torch.ones(1, 1, 9, dtype=torch.float64)
    mask[..., 5:] = 0
    alone = one(hidden[..., :5], mask[..., :5], durations[..., :5])
    padded = one(hidden, mask, durations * mask)
    assert not padded[..., 5:].any()
    torch.testing.assert_close(padded[..., :3], alone[..., :3])
