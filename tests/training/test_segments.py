import torch

from hf_vits.training.generator import random_starts, take


def test_slices_lie_within_their_item_and_every_place_is_as_likely():
    starts = random_starts(torch.full((60_000,), 10), 8, torch.Generator().manual_seed(0))
    counts = starts.bincount()
    assert len(counts) == 3 and (counts - 20_000).abs().max() < 600


def test_a_clip_shorter_than_a_slice_starts_at_its_first_frame_and_ends_in_zeros():
    assert random_starts(torch.tensor([3, 8]), 8).tolist() == [0, 0]
    values = torch.arange(1.0, 11).view(1, 1, 10)
    assert take(values, torch.tensor([7]), 5)[0, 0].tolist() == [8, 9, 10, 0, 0]


def test_a_slice_is_what_indexing_gives():
    values = torch.randn(3, 2, 20)
    starts = torch.tensor([0, 5, 12])
    for item, start in enumerate(starts.tolist()):
        assert torch.equal(take(values, starts, 8)[item], values[item, :, start : start + 8])
