import pytest
import torch

from hf_vits.modules.text_encoder import RelativeAttention, TransformerConfig


@pytest.mark.parametrize("window", [1, 4, 30])
@pytest.mark.parametrize("size", [1, 3, 12])
def test_it_is_the_sum_written_out_position_by_position(make_config, window, size):
    """Shaw et al. 2018, equations 3 and 4, in loops."""
    torch.manual_seed(0)
    config = make_config(window_size=window)
    attention = RelativeAttention(TransformerConfig.of_text(config)).double().eval()
    hidden = torch.randn(1, size, 16).double()
    q, k, v = (p(hidden)[0].view(size, 2, 8) for p in (attention.q_proj, attention.k_proj, attention.v_proj))
    mixed = torch.zeros(size, 2, 8).double()
    for head in range(2):
        for i in range(size):

            def near(table, i, j):
                inside = abs(j - i) <= window
                return table[0, j - i + window] if inside else torch.zeros(8).double()

            scores = [q[i, head] @ (k[j, head] + near(attention.emb_rel_k, i, j)) / 8**0.5 for j in range(size)]
            weights = torch.stack(scores).softmax(0)
            mixed[i, head] = sum(weights[j] * (v[j, head] + near(attention.emb_rel_v, i, j)) for j in range(size))
    expected = attention.out_proj(mixed.reshape(1, size, 16))
    out, _ = attention(hidden, torch.ones(1, 1, size).double())
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)


def test_without_a_window_there_are_no_tables(make_config):
    attention = RelativeAttention(TransformerConfig.of_text(make_config(window_size=None))).double().eval()
    assert not any("emb_rel" in name for name, _ in attention.named_parameters())
    hidden = torch.randn(1, 5, 16).double()
    order = torch.tensor([3, 0, 4, 1, 2])
    ones = torch.ones(1, 1, 5).double()
    torch.testing.assert_close(attention(hidden[:, order], ones)[0], attention(hidden, ones)[0][:, order])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_tokens_see_no_padding(make_config, dtype):
    torch.manual_seed(0)
    attention = RelativeAttention(TransformerConfig.of_text(make_config(window_size=2))).to(dtype).eval()
    hidden, mask = torch.randn(2, 7, 16).to(dtype), torch.ones(2, 1, 7, dtype=dtype)
    mask[0, :, 4:] = 0
    out, weights = attention(100 * hidden, mask)
    alone, _ = attention(100 * hidden[:1, :4], mask[:1, :, :4])
    tolerance = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(out[:1, :4], alone, rtol=tolerance, atol=tolerance * float(alone.detach().abs().max()))
    assert not weights[0, :, :, 4:].any() and out.isfinite().all()
