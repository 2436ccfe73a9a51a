import torch

from hf_vits.modules.sampling import duration_noise, prior_noise


def seeds(*numbers):
    return [torch.Generator().manual_seed(n) for n in numbers]


def test_an_item_draws_alone_what_it_draws_in_a_batch():
    lengths = torch.tensor([5, 3])
    together = duration_noise(2, lengths, 5, seeds(1, 2))
    alone = duration_noise(1, lengths[1:], 3, seeds(2))
    assert torch.equal(together[1:, :, :3], alone)
    like = torch.empty(2, 4, 5)
    together = prior_noise(like, lengths, seeds(1, 2))
    assert torch.equal(together[1:, :, :3], prior_noise(like[1:, :, :3], lengths[1:], seeds(2)))


def test_noise_is_normal():
    noise = prior_noise(torch.empty(1, 192, 500), torch.tensor([500]), seeds(0)[0])
    assert noise.shape == (1, 192, 500)
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02


def test_a_compiled_draw_is_right_for_every_length():
    torch._dynamo.reset()
    compiled = torch.compile(duration_noise, backend="eager")
    for length in (12, 20, 31):  # from the second on, the length is a symbol
        drawn = []
        for draw in (duration_noise, compiled):
            torch.manual_seed(3)
            drawn.append(draw(1, torch.tensor([length]), length, None))
        assert torch.equal(*drawn)
