import pytest
import torch

from hf_vits.modules.masks import durations_to_index, expand, frames_of_token, lengths_from_mask, mask_from_lengths


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_lengths_come_back_from_a_mask_in_any_precision(dtype):
    lengths = torch.tensor([1, 257, 2051, 2999])
    mask = mask_from_lengths(lengths, 3000, dtype)
    assert mask.shape == (4, 1, 3000) and mask.dtype == dtype
    assert torch.equal(lengths_from_mask(mask), lengths)
    assert all(mask[i, 0, :n].all() and not mask[i, 0, n:].any() for i, n in enumerate(lengths.tolist()))


def test_each_token_is_repeated_for_its_frames():
    durations = torch.tensor([[2, 0, 3, 1], [1, 1, 0, 0]])
    index = durations_to_index(durations, 6)
    for item in range(2):
        length = durations[item].sum()
        assert torch.equal(index[item, :length], torch.arange(4).repeat_interleave(durations[item]))
    assert index.max() < 4


def test_expanding_by_index_is_the_dense_product():
    noise = torch.Generator().manual_seed(0)
    durations = torch.randint(0, 4, (3, 7), generator=noise)
    values = torch.randn(3, 5, 7, generator=noise)
    frames = int(durations.sum(1).max())
    index = durations_to_index(durations, frames)
    dense = torch.nn.functional.one_hot(index, 7).float().transpose(1, 2)
    torch.testing.assert_close(expand(values, index), values @ dense)


def test_frames_of_token_inverts_durations_to_index():
    durations = torch.tensor([[2, 0, 3, 1], [1, 4, 0, 0]])
    lengths = durations.sum(dim=1)
    assert torch.equal(frames_of_token(durations_to_index(durations, 7), lengths, 4), durations)
