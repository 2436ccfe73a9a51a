"""Speaking as modules that ONNX can hold: the parts of a voice, on the plain path, for ragged batches of any length.

Axes: B batch · C latent channels · S speaker channels · T_text tokens · T_spec frames · T_wav samples.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.alignment import durations_to_index, expand
from hf_vits.modules.decoders.hifigan import FINAL_SLOPE, HifiGan
from hf_vits.modules.duration_predictor import StochasticDurationPredictor
from hf_vits.modules.masks import mask_from_lengths

PARTS = ("text_encoder", "duration_predictor", "flow", "decoder", "embed_speaker")

NARROW = 64
"""Channels up to which a stage decodes its signal as two rows. onnxruntime shares a convolution among threads by rows,
and by as many channels as this (with AVX-512, half as many with AVX2): one row of fewer it leaves to one thread."""


class VoiceParts(nn.Module):
    """What a voice speaks with, in float32 and with weight norm folded; the voice itself stays as it is.

    Runtimes know nothing of languages: of a voice that knows several, one is chosen for good.
    """

    def __init__(self, model: VitsModel, language: int | str | None = None):
        super().__init__()
        if language is None and model.config.num_languages > 1:
            names = ", ".join(model.config.language_names or map(str, range(model.config.num_languages)))
            raise ValueError(
                f"This voice knows several languages ({names}), and the runtimes have no input for them; choose one "
                "with `language=` (`--language`)."
            )
        twin = inference_copy(model)
        with torch.no_grad():
            self.register_buffer("language", twin.language_vector(language, 1))
        for layer in twin.modules():
            if parametrize.is_parametrized(layer, "weight"):
                parametrize.remove_parametrizations(layer, "weight")
        for name in PARTS:
            if hasattr(twin, name):
                setattr(self, name, getattr(twin, name))
        self.requires_grad_(False).eval()

    def speaker(self, sid: tuple[Tensor, ...]) -> Tensor | None:
        """sid int64 (B,), in a tuple that is empty for a voice of one speaker -> (B, S, 1) or None."""
        return self.embed_speaker(sid[0]).unsqueeze(-1) if sid else None

    def text_to_latents(
        self, ids: Tensor, lengths: Tensor, scales: Tensor, speaker: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """ids (B, T_text), lengths (B,), scales (3,), speaker (B, S, 1) -> latents (B, C, T_spec), durations."""
        noise_scale, length_scale, noise_scale_duration = scales[0], scales[1], scales[2]
        mask = mask_from_lengths(lengths, ids.shape[1], scales.dtype)
        language = None if self.language is None else self.language.expand(ids.shape[0], -1, -1)
        hidden, prior_mean, prior_log_std = self._encoded(ids, mask, language)
        log_durations = self._log_durations(hidden, mask, noise_scale_duration, speaker, language)
        durations = _whole_frames(log_durations.exp() * mask * length_scale)
        frame_lengths = durations.sum(dim=1)
        index = durations_to_index(durations, frame_lengths.max())
        mean, log_std = expand(prior_mean, index), expand(prior_log_std, index)
        frame_mask = mask_from_lengths(frame_lengths, index.shape[1], mean.dtype)
        sample = (mean + torch.randn_like(mean) * log_std.exp() * noise_scale) * frame_mask
        sample, frame_mask = sample.unsqueeze(2), frame_mask.unsqueeze(2)
        for coupling in reversed(self.flow.flows):
            sample = coupling.inverse(sample.flip(1), frame_mask, speaker)
        return sample.squeeze(2), durations

    def _encoded(self, ids: Tensor, mask: Tensor, language: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """ids (B, T_text), mask (B, 1, T_text), language (B, L, 1) -> hidden (B, H, T_text), prior mean and log std
        (B, C, T_text)."""
        encoder, column_mask = self.text_encoder, mask.transpose(1, 2)
        hidden = encoder.embed_tokens(ids) * encoder.scale
        if language is not None:
            hidden = torch.cat([hidden, language.transpose(1, 2).expand(-1, hidden.shape[1], -1)], dim=-1)
        hidden = hidden * column_mask
        for layer in encoder.encoder.layers:
            hidden, _ = layer(hidden, mask)
        hidden = (hidden * column_mask).transpose(1, 2)
        mean, log_std = (encoder.project(hidden) * mask).chunk(2, dim=1)
        return hidden, mean, log_std

    def _log_durations(
        self, hidden: Tensor, mask: Tensor, noise_scale: Tensor, speaker: Tensor | None, language: Tensor | None
    ) -> Tensor:
        if not isinstance(self.duration_predictor, StochasticDurationPredictor):
            return self.duration_predictor(hidden, mask, speaker, language)
        noise = torch.randn_like(hidden[:, :2]) * noise_scale
        return self.duration_predictor(hidden, mask, noise, speaker, language)


class OnnxVits(VoiceParts):
    """Ids to samples, with the inputs and outputs of Piper's exporter, and durations after them."""

    def forward(self, ids: Tensor, lengths: Tensor, scales: Tensor, *sid: Tensor) -> tuple[Tensor, Tensor]:
        """ids (B, T_text), lengths (B,), scales (3,), sid (B,) -> samples (B, 1, 1, T_wav), durations (B, T_text).

        An item is what it would be alone, and zero past its end: the sum of its durations in frames.
        """
        speaker = self.speaker(sid)
        latents, durations = self.text_to_latents(ids, lengths, scales, speaker)
        return decoded(self.decoder, latents, durations.sum(dim=1), speaker).unsqueeze(1), durations


class TextToLatents(VoiceParts):
    """The first half of `OnnxVits`."""

    def forward(self, ids: Tensor, lengths: Tensor, scales: Tensor, *sid: Tensor) -> tuple[Tensor, Tensor]:
        """ids (B, T_text), lengths (B,), scales (3,), sid (B,) -> latents (B, C, T_spec), durations (B, T_text)."""
        return self.text_to_latents(ids, lengths, scales, self.speaker(sid))


class OnnxDecoder(VoiceParts):
    """The second half, for any window of the latents."""

    def forward(self, latents: Tensor, *sid: Tensor) -> Tensor:
        """latents (B, C, T_spec), sid (B,) -> samples (B, 1, T_wav); those near an edge lack what lies beyond it."""
        return decoded(self.decoder, latents, None, self.speaker(sid))


def decoded(decoder: HifiGan, latents: Tensor, lengths: Tensor | None, speaker: Tensor | None) -> Tensor:
    """latents (B, C, T_spec), lengths (B,) in frames -> samples (B, 1, T_wav).

    What `VitsModel.decode` does item by item, for the whole batch: every convolution sees zeros past an item's end.
    """
    signal = decoder.conv_pre(latents.unsqueeze(2))
    if speaker is not None:
        signal = signal + decoder.cond(speaker).unsqueeze(2)
    mask = _mask(lengths, signal)
    for stage, upsample in enumerate(decoder.upsampler):
        signal = upsample(_activated(signal, decoder.slope, mask))
        lengths = None if lengths is None else lengths * upsample.stride[0]
        mask = _mask(lengths, signal)
        first = stage * decoder.blocks_per_stage
        blocks = decoder.resblocks[first : first + decoder.blocks_per_stage]
        if signal.shape[1] > NARROW:
            signal = _mean(blocks, signal, mask)
        else:
            halves = None if mask is None else _halves(mask, decoder.reach)
            made = _mean(blocks, _halves(signal, decoder.reach), halves)
            signal = _joined(made, signal.shape[-1])
    # One-dimensional: with a height, onnxruntime would make a whole block of channels for the one, on one thread.
    conv, signal = decoder.conv_post, _activated(signal, FINAL_SLOPE, mask).squeeze(2)
    waveform = F.conv1d(signal, conv.weight, conv.bias, padding=conv.padding).tanh()
    return waveform if mask is None else waveform * mask.squeeze(2)


def _halves(signal: Tensor, reach: int) -> Tensor:
    """signal (B, C, 1, T) -> (B, C, 2, ⌈T/2⌉ + reach), its halves, each with so much of the other half.

    The outer ends are those of the signal, so that convolutions of height 1 see the same beyond them.
    """
    length = signal.shape[-1]
    size = length - length // 2 + reach  # may be more than there is, and then a half is all
    return torch.cat([signal[..., :size], signal[..., -size:]], dim=2)


def _joined(halves: Tensor, length: int) -> Tensor:
    """halves (B, C, 2, ⌈T/2⌉ + reach) of a signal of length T -> (B, C, 1, T)."""
    half = length // 2
    return torch.cat([halves[:, :, :1, :half], halves[:, :, 1:, half - length :]], dim=3)


def _mean(blocks: nn.ModuleList, signal: Tensor, mask: Tensor | None) -> Tensor:
    """signal (B, C, rows, T) -> the mean (B, C, rows, T) of what the blocks make of it."""
    activated = _activated(signal, blocks[0].slope, mask)
    made = [_block(block, signal, activated, mask) for block in blocks]
    return sum(made[1:], made[0]) / len(made)


def _block(block: nn.Module, signal: Tensor, activated: Tensor, mask: Tensor | None) -> Tensor:
    """A residual block of either type on signal (B, C, rows, T) and its leaky ReLU."""
    layers = zip(block.convs, strict=True) if hasattr(block, "convs") else zip(block.convs1, block.convs2, strict=True)
    for number, (first, *rest) in enumerate(layers):
        inner = first(_activated(signal, block.slope, mask) if number else activated)
        for conv in rest:
            inner = conv(_activated(inner, block.slope, mask))
        signal = inner + signal
    return signal


def _activated(signal: Tensor, slope: float, mask: Tensor | None) -> Tensor:
    signal = F.leaky_relu(signal, slope)
    return signal if mask is None else signal * mask


def _mask(lengths: Tensor | None, signal: Tensor) -> Tensor | None:
    """lengths (B,), signal (B, C, 1, T) -> (B, 1, 1, T)."""
    return None if lengths is None else mask_from_lengths(lengths, signal.shape[-1], signal.dtype).unsqueeze(2)


def _whole_frames(frames: Tensor) -> Tensor:
    """frames (B, 1, T_text), real -> int64 (B, T_text), rounded up; an item has one at least."""
    frames = torch.ceil(frames).squeeze(1).long()
    is_first = torch.arange(frames.shape[1]) == 0
    return frames + (is_first & (frames.sum(dim=1, keepdim=True) == 0)).long()


def inference_copy(model: VitsModel) -> VitsModel:
    """The same model, in float32 on the CPU and ready to speak; where nothing differs, its weights share memory.

    Not a copy: that would share its classes with the model, and folding weight norm changes the class of a layer.
    """
    with torch.device("meta"):
        twin = VitsModel(model.config)
    twin.load_state_dict(model.state_dict(), strict=True, assign=True)
    return twin.float().cpu().eval()
