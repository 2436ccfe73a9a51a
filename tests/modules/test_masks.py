import pytest
import torch

from hf_vits.modules.masks import lengths_from_mask, mask_from_lengths


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_lengths_come_back_from_a_mask_in_any_precision(dtype):
    lengths = torch.tensor([1, 257, 2051, 2999])
    mask = mask_from_lengths(lengths, 3000, dtype)
    assert mask.shape == (4, 1, 3000) and mask.dtype == dtype
    assert torch.equal(lengths_from_mask(mask), lengths)
    assert all(mask[i, 0, :n].all() and not mask[i, 0, n:].any() for i, n in enumerate(lengths.tolist()))
