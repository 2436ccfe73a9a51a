from types import SimpleNamespace

import pytest
import torch

from hf_vits.inference.streaming import SPEED, flow_context, growth, windows

SHAPES = {
    "paper": {
        "upsample_rates": [8, 8, 2, 2],
        "upsample_kernel_sizes": [16, 16, 4, 4],
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    },
    "piper medium": {
        "resblock_type": "2",
        "upsample_rates": [8, 8, 4],
        "upsample_kernel_sizes": [16, 16, 8],
        "resblock_kernel_sizes": [3, 5, 7],
        "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
    },
    "tiny": {},
    "uneven kernels": {"upsample_rates": [3, 2], "upsample_kernel_sizes": [9, 2]},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_the_receptive_field_of_the_decoder_is_exactly_what_samples_depend_on(make_model, shape):
    model = make_model(**shape).double()
    context, hop = model.config.decoder_config.receptive_field, model.config.hop_length
    frame = context + 3
    latents = torch.randn(1, 8, 2 * context + 7, dtype=torch.float64, requires_grad=True)
    waveform = model.decoder(latents)[0, 0, hop * frame : hop * (frame + 1)]
    (gradient,) = torch.autograd.grad(waveform.abs().sum(), latents)
    used = gradient[0].abs().sum(dim=0).nonzero().flatten()
    assert frame - used.min() <= context and used.max() - frame <= context  # enough,
    assert max(frame - used.min(), used.max() - frame) == context  # and no frame more


@pytest.mark.parametrize(
    "shape",
    [{}, {"wavenet_dilation_rate": 2, "prior_encoder_num_wavenet_layers": 3}, {"wavenet_kernel_size": 7}],
    ids=["plain", "dilated", "long kernel"],
)
def test_the_context_of_the_flow_is_exactly_what_a_frame_depends_on(make_model, shape):
    model = make_model(**shape).double()
    context = flow_context(model.config)
    sample = torch.randn(1, 8, 2 * context + 7, dtype=torch.float64, requires_grad=True)
    frame = context + 3
    latents = model.flow.inverse(sample, torch.ones(1, 1, sample.shape[2]).double())
    (gradient,) = torch.autograd.grad(latents[..., frame].abs().sum(), sample)
    used = gradient[0].abs().sum(dim=0).nonzero().flatten()
    assert (frame - used.min(), used.max() - frame) == (context, context)


def test_contexts_in_the_papers_size(make_config):
    from hf_vits import VitsConfig

    assert (VitsConfig().decoder_config.receptive_field, flow_context(VitsConfig())) == (13, 32)


PAPER, PIPER = 13, 11
"""Frames of context that their decoders need."""


def ends(frames, chunk_frames=None):
    return [window.end for window in windows(frames, PAPER, chunk_frames)]


def test_chunks_grow_and_end_with_the_last_frame():
    assert (ends(1), ends(24), ends(33), ends(56)) == ([1], [24], [19, 33], [19, 56])
    sizes = torch.tensor(ends(2000)).diff(prepend=torch.tensor([0]))
    assert sizes.tolist() == [19, 70, 262, 518, 518, 613]  # not 518 and 95
    assert ends(10, 4) == [4, 8, 10]


@pytest.mark.parametrize("ratio", [5.1, 7, 10, 14, 18.5, 40])
@pytest.mark.parametrize("frames", [50, 300, 3000])
def test_a_decoder_of_the_trusted_speed_makes_each_chunk_before_the_ones_before_it_are_played(ratio, frames):
    """Frames are played in a second each, and decoded `ratio` times as fast."""
    decoder = SimpleNamespace(count_products=lambda channels: SPEED / ratio)
    config = SimpleNamespace(decoder_config=decoder, flow_size=8, hop_length=100, sampling_rate=100)
    now = played = 0.0
    for left, start, end, right in windows(frames, PAPER, None, growth(config)):
        if start == 0:
            played = now = (right - left) / ratio
        else:
            now += (right - left) / ratio
            assert now <= played
        played += end - start


@pytest.mark.parametrize("ratio", [5.1, 7, 10, 14, 18.5, 40])
def test_a_later_sentence_begins_with_what_can_be_made_while_the_one_before_it_is_played(ratio):
    """A frame is played in a unit of time; the text of a sentence takes as long as 4 frames, and 1 in 100 more."""
    decoder = SimpleNamespace(count_products=lambda channels: SPEED / ratio)
    ratio_used = growth(SimpleNamespace(decoder_config=decoder, flow_size=8, hop_length=100, sampling_rate=100))
    now = played = before = 0.0
    firsts = []
    for frames in (70, 300, 40, 40, 900, 20, 2000, 600):
        now += 4 + frames / 100
        cut = list(windows(frames, PAPER, None, ratio_used, before))
        for left, start, end, right in cut:
            now += (right - left) / ratio
            played = played or now
            assert now <= played, (frames, start)
            played += end - start
        firsts.append(cut[0].end)
        before = frames
    assert firsts[0] == 19 and firsts[1] >= 16 * ratio_used and firsts[-1] > 512


@pytest.mark.parametrize("shape", [SHAPES["paper"], SHAPES["piper medium"]], ids=["paper", "piper medium"])
def test_the_products_of_a_decoder_are_those_of_its_convolutions(make_model, shape):
    model, counted, frames = make_model(**shape).train(), [], 4

    def count(module, inputs, output):
        is_up = output.shape[-1] > inputs[0].shape[-1]
        counted.append(module.weight.numel() * (inputs[0] if is_up else output).shape[-1])

    layers = [
        module for name, module in model.decoder.named_modules() if hasattr(module, "weight") and "post" not in name
    ]
    for layer in layers:
        layer.register_forward_hook(count)
    model.decoder(torch.randn(1, 8, frames))
    assert len(counted) == len(layers)
    assert sum(counted) == frames * model.config.decoder_config.count_products(8)


def test_chunks_of_a_slow_or_unknown_decoder_grow_as_slowly_as_allowed(make_config):
    from hf_vits import VitsConfig

    assert growth(make_config()) == 16
    assert growth(VitsConfig()) == growth(VitsConfig(decoder={"type": "vocos"})) == 4


@pytest.mark.parametrize("chunk_frames", [None, 1, 40])
@pytest.mark.parametrize("context", [0, 1, 5, PIPER, PAPER, 50, 200])
def test_windows_hold_their_context_and_move_forward(context, chunk_frames):
    for frames in [*range(1, 300), 999, 1000, 1001]:
        before = 0
        cut = list(windows(frames, context, chunk_frames, 4, frames % 700))
        assert [window.start for window in cut] == [0, *(window.end for window in cut[:-1])] and cut[-1].end == frames
        for left, start, end, right in cut:
            assert before <= left <= max(0, start - context) and start < end
            assert min(frames, end + context) <= right <= frames
            before = left  # what lies before is forgotten


@pytest.mark.parametrize("growth, most", [(4, 30), (16, 53)])
@pytest.mark.parametrize("context", [PAPER, PIPER])
def test_windows_have_few_lengths(make_model, context, growth, most):
    """A CPU's kernels are made for each, and kept."""
    padded_length = pytest.importorskip("hf_vits.kernels.inference").padded_length
    model = make_model().eval()

    @torch.no_grad()
    def lengths(numbers):
        cuts = [windows(frames, context, None, growth, frames % 999) for frames in numbers]
        return {padded_length(model, torch.empty(right - left)) for cut in cuts for left, _, _, right in cut}

    assert len(lengths(range(1, 3000))) <= most


@pytest.mark.parametrize("frames", [0, -3])
def test_a_chunk_of_no_frames_is_an_error(make_model, frames):
    with pytest.raises(ValueError, match="at least one frame"):
        make_model().stream(torch.zeros(1, 8, 5), chunk_frames=frames)


def test_streaming_wrong_latents_is_an_error_before_the_first_chunk(make_model, speakers):
    model = make_model()
    with pytest.raises(ValueError, match="one item"):
        model.stream(torch.zeros(2, 8, 5))
    with pytest.raises(ValueError, match="1 frame at least"):
        model.stream(torch.zeros(1, 8, 0))
    with pytest.raises(ValueError, match="speaker"):
        make_model(**speakers).stream(torch.zeros(1, 8, 5))
