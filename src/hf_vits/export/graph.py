"""The inputs and outputs that runtimes need, around the modules of a model: right for ragged batches of any length.

Axes: B batch · C latent channels · S speaker channels · T_text tokens · T_spec frames · T_wav samples.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.masks import mask_from_lengths
from hf_vits.utils.meta_device import skeleton


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
        self.model = folded_copy(model)
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
        waveform = self.model.decoder.onnx_forward(latents, speaker, durations.sum(dim=1))
        return waveform.unsqueeze(1), durations


class TextToLatents(OnnxModule):
    """The first half of `OnnxVits`."""

    def forward(self, ids: Tensor, lengths: Tensor, scales: Tensor, *sid: Tensor) -> tuple[Tensor, Tensor]:
        """ids (B, T_text), lengths (B,), scales (3,), sid (B,) -> latents (B, C, T_spec), durations (B, T_text)."""
        return self.latents(ids, lengths, scales, self.speaker(sid))


class OnnxDecoder(OnnxModule):
    """The second half, for any window of the latents."""

    def forward(self, latents: Tensor, *sid: Tensor) -> Tensor:
        """latents (B, C, T_spec), sid (B,) -> samples (B, 1, T_wav); those near an edge lack the context beyond it."""
        return self.model.decoder.onnx_forward(latents, self.speaker(sid))


class TextToPrior(nn.Module):
    """The text encoder and the durations of one text, with their noise as an input: a runtime draws it as PyTorch."""

    def __init__(self, model: VitsModel):
        super().__init__()
        self.model = folded_copy(model)

    def forward(self, ids: Tensor, noise: Tensor, *chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ids (1, T_text), noise (1, 2, T_text), sid and lid (1,) -> mean and log std (1, C, T_text), log durations.

        Deterministic durations take no noise; log durations are (1, 1, T_text).
        """
        model, left = self.model, list(chosen)
        speaker = model.embed_speaker(left.pop(0)).unsqueeze(-1) if model.config.num_speakers > 1 else None
        if left:
            language = model.embed_language(left.pop(0)).unsqueeze(-1)
        else:
            language = model.language_vector(None, 1) if model.config.language_embedding_size else None
        mask = torch.ones_like(ids).unsqueeze(1).float()
        text = model.text_encoder(ids, mask, False, language, speaker)
        drawn = (noise,) if model.config.use_stochastic_duration_prediction else ()
        log_durations = model.duration_predictor(text.hidden, mask, *drawn, speaker, language)
        return text.prior_mean, text.prior_log_std, log_durations


class PriorToWaveform(nn.Module):
    """The flow and the decoder of one text."""

    def __init__(self, model: VitsModel):
        super().__init__()
        self.model = folded_copy(model)

    def forward(self, sample: Tensor, *sid: Tensor) -> Tensor:
        """Sample of the prior (1, C, T_spec), sid (1,) -> samples (1, 1, T_wav)."""
        speaker = self.model.embed_speaker(sid[0]).unsqueeze(-1) if sid else None
        latents = self.model.flow.inverse(sample, torch.ones_like(sample[:, :1]), speaker)
        return self.model.decoder.onnx_forward(latents, speaker)


def folded_copy(model: VitsModel) -> VitsModel:
    """Return `inference_copy` with weight norm folded."""
    copy = inference_copy(model)
    for layer in copy.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight")
    return copy.requires_grad_(False)


def inference_copy(model: VitsModel) -> VitsModel:
    """Return the same model in float32 on the CPU and in eval mode; where nothing differs, its weights share memory.

    Not a deep copy: that would share its classes with the model, and folding weight norm changes the class of a layer.
    """
    copy = skeleton(VitsModel, model.config)
    copy.load_state_dict(model.state_dict(), strict=True, assign=True)
    return copy.float().cpu().eval()
