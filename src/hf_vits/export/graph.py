"""The inputs and outputs that runtimes need, around the modules of a model: right for ragged batches of any length.

Axes: B batch · C latent channels · S speaker channels · T_text tokens · T_spec frames · T_wav samples.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.decoders.hifigan import HifiGan
from hf_vits.modules.masks import mask_from_lengths

NARROW = 64
"""Channels up to which a stage decodes its signal as two rows. onnxruntime shares a convolution among threads by rows,
and by as many channels as this (with AVX-512, half as many with AVX2): one row of fewer it leaves to one thread."""


class OnnxModule(nn.Module):
    """A copy of a model for inference, in float32 and with weight norm folded.

    Runtimes have no input for a language: of a model of several, one is chosen for good.
    """

    def __init__(self, model: VitsModel, language: int | str | None = None):
        super().__init__()
        if language is None and model.config.num_languages > 1:
            names = ", ".join(model.config.language_names or map(str, range(model.config.num_languages)))
            raise ValueError(
                f"This voice knows several languages ({names}), and the runtimes have no input for them; choose one "
                "with `language=` (`--language`)."
            )
        self.model = inference_copy(model)
        for layer in self.model.modules():
            if parametrize.is_parametrized(layer, "weight"):
                parametrize.remove_parametrizations(layer, "weight")
        with torch.no_grad():
            self.register_buffer("language", self.model.language_vector(language, 1))
        self.requires_grad_(False).eval()

    def speaker(self, sid: tuple[Tensor, ...]) -> Tensor | None:
        """sid int64 (B,), in a tuple that is empty for a model of one speaker -> (B, S, 1) or None."""
        return self.model.embed_speaker(sid[0]).unsqueeze(-1) if sid else None

    def latents(self, ids: Tensor, lengths: Tensor, scales: Tensor, speaker: Tensor | None) -> tuple[Tensor, Tensor]:
        """ids (B, T_text), lengths (B,), scales (3,), speaker (B, S, 1) -> latents (B, C, T_spec), durations."""
        noise_scale, length_scale, noise_scale_duration = scales.unbind()
        output = self.model.latents(
            ids,
            mask_from_lengths(lengths, ids.shape[1], torch.long).squeeze(1),
            speaker,
            noise_scale=noise_scale,
            noise_scale_duration=noise_scale_duration,
            speaking_rate=1 / length_scale,
            language=None if self.language is None else self.language.expand(ids.shape[0], -1, -1),
        )
        return output.latents, output.durations


class OnnxVits(OnnxModule):
    """Ids to samples, with the inputs and outputs of Piper's exporter, and durations after them."""

    def forward(self, ids: Tensor, lengths: Tensor, scales: Tensor, *sid: Tensor) -> tuple[Tensor, Tensor]:
        """ids (B, T_text), lengths (B,), scales (3,), sid (B,) -> samples (B, 1, 1, T_wav), durations (B, T_text).

        An item is what it would be alone, and zero past its end: the sum of its durations in frames.
        """
        speaker = self.speaker(sid)
        latents, durations = self.latents(ids, lengths, scales, speaker)
        return decode(self.model.decoder, latents, durations.sum(dim=1), speaker).unsqueeze(1), durations


class TextToLatents(OnnxModule):
    """The first half of `OnnxVits`."""

    def forward(self, ids: Tensor, lengths: Tensor, scales: Tensor, *sid: Tensor) -> tuple[Tensor, Tensor]:
        """ids (B, T_text), lengths (B,), scales (3,), sid (B,) -> latents (B, C, T_spec), durations (B, T_text)."""
        return self.latents(ids, lengths, scales, self.speaker(sid))


class OnnxDecoder(OnnxModule):
    """The second half, for any window of the latents."""

    def forward(self, latents: Tensor, *sid: Tensor) -> Tensor:
        """latents (B, C, T_spec), sid (B,) -> samples (B, 1, T_wav); those near an edge lack the context beyond it."""
        return decode(self.model.decoder, latents, None, self.speaker(sid))


def decode(decoder: HifiGan, latents: Tensor, lengths: Tensor | None, speaker: Tensor | None) -> Tensor:
    """latents (B, C, T_spec), lengths (B,) in frames -> samples (B, 1, T_wav).

    Compute `HifiGan.forward` on signals of rows, (B, C, rows, T), which onnxruntime runs fastest: the narrow stages as
    two rows. Like its methods, convolutions accept them inside of `onnx_graph.convolutions_of_rows`.
    """
    if not isinstance(decoder, HifiGan):
        raise ValueError(
            f"Only models with the decoder HiFi-GAN can be exported to ONNX; this one has {type(decoder).__name__}."
        )
    condition = None if speaker is None else decoder.cond(speaker.unsqueeze(2))
    signal, mask = latents.unsqueeze(2), _mask(lengths, latents)
    for stage, upsampler in enumerate(decoder.upsampler):
        signal = decoder.upsample(stage, signal, condition, mask)
        lengths = None if lengths is None else lengths * upsampler.stride[0]
        mask = _mask(lengths, signal)
        if signal.shape[1] > NARROW:
            signal = decoder.residual_blocks(stage, signal, mask)
        else:
            rows, length = None if mask is None else _halves(mask, decoder.block_context), signal.shape[-1]
            signal = _joined(decoder.residual_blocks(stage, _halves(signal, decoder.block_context), rows), length)
    # Without rows: with them, onnxruntime would compute a whole block of channels for the one, on one thread.
    signal, mask = signal.squeeze(2), None if mask is None else mask.squeeze(2)
    waveform = decoder.to_waveform(signal, mask)
    return waveform if mask is None else waveform * mask


def _halves(signal: Tensor, context: int) -> Tensor:
    """signal (B, C, 1, T) -> (B, C, 2, ⌈T/2⌉ + context), its halves, each with so much of the other half.

    The outer ends are those of the signal, so that convolutions of rows have the same zeros beyond them.
    """
    length = signal.shape[-1]
    size = length - length // 2 + context  # may be more than there is; each row is then the whole signal
    return torch.cat([signal[..., :size], signal[..., -size:]], dim=2)


def _joined(halves: Tensor, length: int) -> Tensor:
    """halves (B, C, 2, ⌈T/2⌉ + context) of a signal of length T -> (B, C, 1, T)."""
    half = length // 2
    return torch.cat([halves[:, :, :1, :half], halves[:, :, 1:, half - length :]], dim=3)


def _mask(lengths: Tensor | None, signal: Tensor) -> Tensor | None:
    """lengths (B,), signal (B, C, …, T) -> (B, 1, 1, T)."""
    return None if lengths is None else mask_from_lengths(lengths, signal.shape[-1], signal.dtype).unsqueeze(2)


def inference_copy(model: VitsModel) -> VitsModel:
    """Return the same model in float32 on the CPU and in eval mode; where nothing differs, its weights share memory.

    Not a deep copy: that would share its classes with the model, and folding weight norm changes the class of a layer.
    """
    with torch.device("meta"):
        copy = VitsModel(model.config)
    copy.load_state_dict(model.state_dict(), strict=True, assign=True)
    return copy.float().cpu().eval()
