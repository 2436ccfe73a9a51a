import torch

from hf_vits.alignment import expand, token_of_frame


def test_each_token_is_repeated_for_its_frames():
    durations = torch.tensor([[2, 0, 3, 1], [1, 1, 0, 0]])
    index = token_of_frame(durations, 6)
    for item in range(2):
        length = durations[item].sum()
        assert torch.equal(index[item, :length], torch.arange(4).repeat_interleave(durations[item]))
    assert index.max() < 4


def test_expanding_by_index_is_the_dense_product():
    noise = torch.Generator().manual_seed(0)
    durations = torch.randint(0, 4, (3, 7), generator=noise)
    values = torch.randn(3, 5, 7, generator=noise)
    frames = int(durations.sum(1).max())
    index = token_of_frame(durations, frames)
    dense = torch.nn.functional.one_hot(index, 7).float().transpose(1, 2)
    torch.testing.assert_close(expand(values, index), values @ dense)
