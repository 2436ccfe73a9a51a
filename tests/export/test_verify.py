import pytest
import torch
from export_voices import KINDS

from hf_vits.export import PRECISIONS, Voice, verify


def test_differences_beyond_the_bounds_are_not_good():
    found = verify.Parity("float32")
    found.add(torch.zeros(300).numpy(), torch.full((300,), 2e-3))
    assert not found.is_good
    for precision, other in (("float32", 3), ("int8", 11)):
        found = verify.Parity(precision)
        found.add_durations(torch.full((1, 10), 10).numpy() + 0, torch.full((1, 10), 10))
        assert found.is_good
        found.other_frames = other
        assert not found.is_good
    found = verify.Parity("int8")
    found.add(torch.randn(4000, generator=torch.Generator().manual_seed(0)).numpy(), torch.sin(torch.arange(4000) / 9))
    assert not found.is_good and found.correlation < 0.5
    found = verify.Parity("float32")
    found.add(torch.zeros(300).numpy(), torch.zeros(299))
    assert not found.is_good
    found = verify.Parity("float32")
    found.add(torch.full((300,), torch.nan).numpy(), torch.zeros(300))
    assert not found.is_good
    found.add(torch.zeros(300).numpy(), torch.zeros(300))
    assert not found.is_good


@pytest.mark.parametrize("ignored", ["nothing", "the length scale", "the speaker"])
def test_a_runtime_that_ignores_an_input_is_noticed(make_model, ignored):
    voice = Voice(make_model(**KINDS["speakers"]), None)

    @torch.no_grad()
    def speak(feed):
        ids, lengths = torch.from_numpy(feed["input"]), torch.from_numpy(feed["input_lengths"])
        output = voice.model(
            ids,
            attention_mask=(torch.arange(ids.shape[1]) < lengths[:, None]).long(),
            speaker_id=torch.from_numpy(feed["sid"] * (ignored != "the speaker")),
            noise_scale=0.0,
            noise_scale_duration=0.0,
            speaking_rate=1.0 if ignored == "the length scale" else 1 / float(feed["scales"][1]),
        )
        hop = voice.model.config.hop_length
        return output.durations.numpy(), lambda item, frames: output.waveform[item, : frames * hop].numpy()

    if ignored == "nothing":
        assert verify.compared(voice, range(20), speak).startswith("6 texts")
    else:
        with pytest.raises(ValueError, match="differs from PyTorch's"):
            verify.compared(voice, range(20), speak)


def test_only_the_error_of_a_smaller_precision_suggests_float32():
    lost = {precision: verify.Parity(precision, error=1.0, correlation=0.0) for precision in PRECISIONS}
    for precision, found in lost.items():
        with pytest.raises(ValueError) as caught:
            verify.checked(found)
        assert ("try float32" in str(caught.value)) == (precision != "float32")
