import pytest
import torch


@pytest.mark.parametrize("kind", [{}, {"num_speakers": 3, "speaker_embedding_size": 6}])
def test_inverse_undoes_forward_and_forward_undoes_inverse(make_model, kind):
    model = make_model(**kind).double()
    mask = torch.ones(2, 1, 13).double()
    mask[1, :, 7:] = 0
    latents = torch.randn(2, 8, 13).double() * mask
    speaker = model.speaker_vector([0, 2], 2) if kind else None
    moved = model.flow(latents, mask, speaker)
    assert (moved - latents).abs().max() > 0.1
    torch.testing.assert_close(model.flow.inverse(moved, mask, speaker), latents, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        model.flow(model.flow.inverse(latents, mask, speaker), mask, speaker), latents, rtol=0, atol=1e-12
    )


def test_it_keeps_volume(make_model):
    """RealNVP couplings of shifts: the Jacobian's determinant is one."""
    flow = make_model().double().flow
    mask = torch.ones(1, 1, 3).double()
    point = torch.randn(1, 8, 3).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: flow(x, mask), point).reshape(24, 24)
    assert abs(torch.linalg.slogdet(jacobian).logabsdet.item()) < 1e-10


def test_every_channel_is_moved(make_model):
    flow = make_model().double().flow
    latents = torch.randn(1, 8, 5).double()
    moved = flow(latents, torch.ones(1, 1, 5).double())
    restored = moved.flip(1) if len(flow.flows) % 2 else moved
    assert ((restored - latents).abs().amax(dim=(0, 2)) > 1e-6).all()
