"""VitsModel: inference from token ids to latents and from latents to the waveform (Kim, Kong & Son 2021).

Axes: B batch · C latent channels · S speaker channels · L language channels · T_text tokens · T_spec frames · T_wav
samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from hf_vits.configuration_vits import HfVitsConfig, VitsConfig
from hf_vits.inference.arguments import (
    CallArguments,
    Choice,
    Scale,
    SynthesisOptions,
    check_chunk_frames,
    check_finite,
    check_frame_lengths,
    check_vector,
    chosen_ids,
    entry_point,
    given_frame_lengths,
)
from hf_vits.inference.limits import ENDLESS
from hf_vits.inference.spans import fit_spans
from hf_vits.inference.streaming import StreamingFlow, decode_chunks, flow_context, growth, windows
from hf_vits.modeling_utils import StrictPreTrainedModel
from hf_vits.modules.decoders.base import DECODERS
from hf_vits.modules.duration_predictor import DurationPredictor, StochasticDurationPredictor
from hf_vits.modules.flow import Flow
from hf_vits.modules.masks import durations_to_index, expand, extents, mask_from_lengths
from hf_vits.modules.posterior_encoder import PosteriorEncoder
from hf_vits.modules.sampling import Generators, duration_noise, prior_noise
from hf_vits.modules.speakers import resize_speakers
from hf_vits.modules.text_encoder import TextEncoder
from hf_vits.utils.torch_state import is_traced


@dataclass
class VitsModelOutput(ModelOutput):
    """
    The output of [`VitsModel`].

    Args:
        waveform (`Tensor` of shape `(B, T_wav)`):
            Samples within ±1, zero past the end of each item.
        sequence_lengths (`Tensor` of shape `(B,)`, int64):
            Samples of each item.
        spectrogram (`Tensor` of shape `(B, C, T_spec)`):
            The latents that were decoded, under upstream's name for them.
        hidden_states, attentions (`tuple[Tensor, ...]`, *optional*):
            Of the text encoder, if asked for.
        durations (`Tensor` of shape `(B, T_text)`, int64):
            Frames of each token, blanks included; times `config.hop_length` for samples.
    """

    waveform: Tensor | None = None
    sequence_lengths: Tensor | None = None
    spectrogram: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    durations: Tensor | None = None


@dataclass
class VitsLatents:
    """The input of the decoder: latents (B, C, T_spec), frame_lengths int64 (B,) and durations int64 (B, T_text)."""

    latents: Tensor
    frame_lengths: Tensor
    durations: Tensor
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]


@dataclass
class VitsPrior:
    """A sample (B, C, T_spec) of the prior, before the flow; frame_lengths int64 (B,), durations int64 (B, T_text)."""

    sample: Tensor
    frame_lengths: Tensor
    durations: Tensor
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]


def _config_field(name: str) -> property:
    """Return a property of the model that reads and sets a field of its configuration, as upstream's attributes."""
    return property(lambda self: getattr(self.config, name), lambda self, value: setattr(self.config, name, value))


class VitsModel(StrictPreTrainedModel):
    """
    A VITS text-to-speech model: token ids to waveform. Weights, keys and files are those of `transformers.VitsModel`.

    Public methods validate their arguments once. They record a graph for gradients if grad mode is on and a parameter
    or an argument requires a gradient; call them under `torch.no_grad()` for inference, which is faster and takes less
    memory.

    Args:
        config ([`VitsConfig`] or `transformers.VitsConfig`):
            Sizes of all layers; weights are newly initialized.

    Example:

    ```python
    >>> import torch
    >>> from hf_vits import VitsConfig, VitsModel

    >>> model = VitsModel(VitsConfig(vocab_size=40)).eval()
    >>> out = model(torch.tensor([[0, 7, 0, 12, 0]]), generator=torch.Generator().manual_seed(7))
    >>> out.waveform.shape[1] == out.sequence_lengths.item()
    True
    ```
    """

    config_class = VitsConfig
    base_model_prefix = "vits"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    # Loaded in half precision, only the decoder is: durations are then those of float32, and a sentence no longer.
    _keep_in_fp32_modules_strict = (
        *("text_encoder", "duration_predictor", "flow", "posterior_encoder"),
        *("embed_speaker", "embed_language"),
    )

    speaking_rate, noise_scale, noise_scale_duration = map(
        _config_field, ("speaking_rate", "noise_scale", "noise_scale_duration")
    )

    def __init__(self, config: VitsConfig):
        config = self.config_class.of(config)
        super().__init__(config)
        self.hop_length = config.hop_length
        self.text_encoder = TextEncoder(config)
        self.flow = Flow(config)
        self.decoder = DECODERS[config.decoder_type](config)
        stochastic = config.use_stochastic_duration_prediction
        self.duration_predictor = StochasticDurationPredictor(config) if stochastic else DurationPredictor(config)
        if config.num_speakers > 1:
            self.embed_speaker = nn.Embedding(config.num_speakers, config.speaker_embedding_size)
        if config.language_embedding_size:
            self.embed_language = nn.Embedding(config.num_languages, config.language_embedding_size)
        if not config.inference_only:
            self.posterior_encoder = PosteriorEncoder(config)
        self.post_init()

    @entry_point
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        speaker_id: Choice = None,
        noise_scale: Scale = None,
        noise_scale_duration: Scale = None,
        speaking_rate: Scale = None,
        durations: Tensor | None = None,
        generator: Generators = None,
        language_id: Choice = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        token_rates: Tensor | None = None,
        span_durations: list | None = None,
    ) -> VitsModelOutput | tuple:
        """
        Synthesize the waveform of each text of a batch (paper, figure 1b).

        With the same draws, item *i* of a padded batch equals its single run, and is zero past its length.

        Args:
            input_ids (`Tensor` of shape `(B, T_text)`, int64):
                Token ids from [`VitsTokenizer`], padded on the right.
            attention_mask (`Tensor` of shape `(B, T_text)`, *optional*):
                One at tokens, zero at padding; without it every position is a token.
            speaker_id (`int`, `str`, a list of either, or `Tensor` of shape `(B,)`, *optional*):
                Id or name of the speaker; required by a model of several speakers.
            noise_scale (`float` or one per item, *optional*, defaults to the configuration's):
                Factor of the prior's standard deviation, 0 to 10; 0 takes its mean.
            noise_scale_duration (`float` or one per item, *optional*, defaults to the configuration's):
                Factor of the noise of the stochastic duration predictor, 0 to 10.
            speaking_rate (`float` or one per item, *optional*, defaults to the configuration's):
                0.1 to 10; 2 speaks twice as fast.
            durations (`Tensor` of shape `(B, T_text)`, *optional*):
                Frames of every token, in place of the predicted ones; `speaking_rate` does not change them.
            generator (`torch.Generator` or one per item, *optional*):
                Source of the noise. One generator draws in upstream's order; with one per item, each item draws what
                it would draw alone.
            language_id (`int`, `str`, a list of either, or `Tensor` of shape `(B,)`, *optional*):
                Id or name of the language; required by a model of several languages.
            output_attentions, output_hidden_states, return_dict (`bool`, *optional*):
                As in every model of transformers.
            token_rates (`Tensor` of shape `(B, T_text)`, *optional*):
                Factor of `speaking_rate` for each token, 0.1 to 10, blanks and padding included.
            span_durations (`list` of a list for each item, *optional*):
                `(first token, token after the last, frames)` of spans whose predicted durations are scaled to that sum.

        Returns:
            [`VitsModelOutput`], or a tuple of its fields that are not `None` if `return_dict` is `False`.

        Raises:
            ValueError: for an empty or overlong text, an id outside the vocabulary, a missing or unknown speaker or
                language, or a number out of range.
            NotFiniteError: a `ValueError`, if the waveform would hold NaN or infinity; not in training mode.
        """
        arguments = CallArguments.from_ids(
            self,
            input_ids,
            attention_mask,
            speaker_id,
            language_id,
            noise_scale=noise_scale,
            noise_scale_duration=noise_scale_duration,
            speaking_rate=speaking_rate,
            token_rates=token_rates,
            span_durations=span_durations,
            durations=durations,
            generator=generator,
        )
        return self._outputs(arguments, output_attentions, output_hidden_states, return_dict)

    def _outputs(
        self, arguments: CallArguments, attentions: bool | None, hidden_states: bool | None, return_dict: bool | None
    ) -> VitsModelOutput | tuple:
        """Return what `forward` does; an argument that is `None` is the configuration's."""
        config = self.config
        attentions = config.output_attentions if attentions is None else attentions
        hidden_states = config.output_hidden_states if hidden_states is None else hidden_states
        out = self._latents(arguments, attentions or hidden_states)
        outputs = VitsModelOutput(
            waveform=self._decode(out.latents, out.frame_lengths, arguments.speaker).squeeze(1),
            sequence_lengths=out.frame_lengths * self.hop_length,
            spectrogram=out.latents,
            hidden_states=out.hidden_states if hidden_states else None,
            attentions=out.attentions if attentions else None,
            durations=out.durations,
        )
        return outputs if (config.return_dict if return_dict is None else return_dict) else outputs.to_tuple()

    @entry_point
    def prior(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        speaker: Tensor | None = None,
        *,
        language: Tensor | None = None,
        keep_states: bool = False,
        **options: Unpack[SynthesisOptions],
    ) -> VitsPrior:
        """
        Sample the prior of each text: input_ids (B, T_text) -> [`VitsPrior`]. All randomness of a call is drawn here.

        Arguments are those of `forward`, but speaker and language are vectors (B, S, 1) and (B, L, 1), as
        `speaker_vector` and `language_vector` return them. With `keep_states` the result has the text encoder's hidden
        states and attentions, which grow with the square of the text.
        """
        arguments = CallArguments.from_vectors(self, input_ids, attention_mask, speaker, language, **options)
        return self._prior(arguments, keep_states)

    def _prior(self, arguments: CallArguments, keep_states: bool = False) -> VitsPrior:
        mask = arguments.mask
        text = self.text_encoder(arguments.input_ids, mask, keep_states, arguments.language, arguments.speaker)
        durations = arguments.durations
        if durations is None:
            durations = self._predict_durations(text.hidden, arguments)
        frame_lengths = durations.sum(dim=1)
        check_frame_lengths(frame_lengths, self.config)
        index = durations_to_index(durations, frame_lengths.max() if is_traced() else int(frame_lengths.max()))
        mean, log_std = expand(text.prior_mean, index), expand(text.prior_log_std, index)
        noise = prior_noise(mean, frame_lengths, arguments.generator)
        frame_mask = mask_from_lengths(frame_lengths, index.shape[1], mask.dtype)
        sample = (mean + noise * log_std.exp() * arguments.noise_scale) * frame_mask
        check_finite("sample of the prior", sample, self.training)
        return VitsPrior(sample, frame_lengths, durations, text.hidden_states, text.attentions)

    @torch.no_grad()
    def _predict_durations(self, hidden: Tensor, arguments: CallArguments) -> Tensor:
        """hidden (B, H, T_text) -> frames of each token, int64 (B, T_text), at least one per item."""
        mask, log_durations = arguments.mask, self.log_durations(hidden, arguments)
        slowness = (1 / arguments.speaking_rate).to(mask.dtype)
        frames = torch.ceil(log_durations.exp() * mask * slowness).squeeze(1)
        if not is_traced() and not torch.isfinite(frames).all():
            raise ValueError(ENDLESS)
        frames = frames.double().clamp(max=2**31)  # half precision cannot count frames
        first = mask.squeeze(1).argmax(dim=1, keepdim=True)
        frames = frames.long().scatter_add(1, first, (frames.sum(dim=1, keepdim=True) == 0).long())
        return frames if arguments.spans is None else fit_spans(frames, arguments.spans)

    def log_durations(self, hidden: Tensor, arguments: CallArguments) -> Tensor:
        """hidden (B, H, T_text) -> natural logarithms of the frames of each token at rate 1, (B, 1, T_text)."""
        mask, speaker, language = arguments.mask, arguments.speaker, arguments.language
        if not isinstance(self.duration_predictor, StochasticDurationPredictor):
            return self.duration_predictor(hidden, mask, speaker, language)
        noise = duration_noise(mask.shape[0], extents(mask), mask.shape[2], arguments.generator).to(mask)
        noise = noise * arguments.noise_scale_duration
        return self.duration_predictor(hidden, mask, noise, speaker, language)

    @entry_point
    def latents(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        speaker: Tensor | None = None,
        *,
        language: Tensor | None = None,
        keep_states: bool = False,
        **options: Unpack[SynthesisOptions],
    ) -> VitsLatents:
        """
        Run the first half of `forward`: input_ids (B, T_text) -> [`VitsLatents`], from a sample of the prior.

        Arguments are those of `prior`.
        """
        arguments = CallArguments.from_vectors(self, input_ids, attention_mask, speaker, language, **options)
        return self._latents(arguments, keep_states)

    def _latents(self, arguments: CallArguments, keep_states: bool) -> VitsLatents:
        prior = self._prior(arguments, keep_states)
        mask = mask_from_lengths(prior.frame_lengths, prior.sample.shape[2], prior.sample.dtype)
        latents = self.flow.inverse(prior.sample, mask, arguments.speaker)
        check_finite("latents", latents, self.training)
        return VitsLatents(latents, prior.frame_lengths, prior.durations, prior.hidden_states, prior.attentions)

    @entry_point
    def decode(self, latents: Tensor, frame_lengths: Tensor | None = None, speaker: Tensor | None = None) -> Tensor:
        """
        Run the second half of `forward`: latents (B, C, T_spec) -> waveform (B, 1, T_wav), zero past each item's end.

        Args:
            latents (`Tensor` of shape `(B, C, T_spec)`)
            frame_lengths (`Tensor` of shape `(B,)`, *optional*):
                Frames of each item; without it, all of them.
            speaker (`Tensor` of shape `(B, S, 1)`, *optional*):
                As `speaker_vector` returns it.

        Raises:
            ValueError: for a wrong shape, or a length that is not 1 to T_spec.
            NotFiniteError: a `ValueError`, if latents or waveform hold NaN or infinity; not in training mode.
        """
        batch, _, frames = latents.shape
        check_vector("speaker", speaker, batch, self.config)
        frame_lengths = given_frame_lengths(frame_lengths, batch, frames)
        check_finite("latents", latents, self.training)  # the last layer would turn infinity into full scale
        return self._decode(latents, frame_lengths, speaker)

    def _decode(self, latents: Tensor, frame_lengths: Tensor | None, speaker: Tensor | None) -> Tensor:
        """Decode items of unequal length one by one, so that padding costs nothing and changes no sample."""
        if is_traced():
            return self._run_decoder(latents, speaker, frame_lengths)
        batch, _, frames = latents.shape
        lengths = [frames] * batch if frame_lengths is None else frame_lengths.tolist()
        if min(lengths) == frames:
            waveform = self._run_decoder(latents, speaker)
        else:
            waveform = latents.new_zeros(batch, 1, frames * self.hop_length)
            for item, length in enumerate(lengths):
                one = slice(item, item + 1)
                samples = self._run_decoder(latents[one, :, :length], None if speaker is None else speaker[one])
                waveform[one, :, : samples.shape[-1]] = samples
        return check_finite("waveform", waveform, self.training)

    def _run_decoder(self, latents: Tensor, speaker: Tensor | None, *frame_lengths: Tensor | None) -> Tensor:
        """Decode in the dtype of the decoder's weights; return that of the latents."""
        dtype = next(self.decoder.parameters(), latents).dtype
        speaker = None if speaker is None else speaker.to(dtype)
        return self.decoder(latents.to(dtype), speaker, *frame_lengths).to(latents.dtype)

    @entry_point
    def stream(
        self, latents: Tensor | VitsPrior, speaker: Tensor | None = None, chunk_frames: int | None = None
    ) -> Iterator[Tensor]:
        """
        Decode chunk by chunk to the samples of `decode`; the time to the first chunk does not grow with the text.

        No graph is recorded.

        Args:
            latents (`Tensor` of shape `(1, C, T_spec)` or [`VitsPrior`]):
                Of one item. From a prior, the flow runs chunk by chunk too, unless it has a transformer, whose frames
                depend on all others: then it runs once, before the first chunk.
            speaker (`Tensor` of shape `(1, S, 1)`, *optional*):
                As `speaker_vector` returns it.
            chunk_frames (`int`, *optional*):
                Frames of each chunk; without it, about 20, then 4 to 16 times as many as before, up to about 500.

        Returns:
            `Iterator[Tensor]`: of shape `(1, samples)`. Concatenated they equal `decode`'s waveform, to rounding.

        Raises:
            ValueError: for more than one item, no frames, a missing speaker, or `chunk_frames` below 1.
            NotFiniteError: a `ValueError`, if a chunk would hold NaN or infinity; not in training mode.

        Example:

        ```python
        >>> import torch
        >>> from hf_vits import VitsConfig, VitsModel

        >>> model = VitsModel(VitsConfig(vocab_size=40)).eval()
        >>> prior = model.prior(torch.tensor([[0, 7, 0, 12, 0]]))
        >>> sum(chunk.shape[1] for chunk in model.stream(prior)) == prior.frame_lengths.item() * 256
        True
        ```
        """
        check_vector("speaker", speaker, 1, self.config)
        frames = latents.sample if isinstance(latents, VitsPrior) else latents
        if frames.shape[0] != 1 or frames.shape[-1] < 1:
            raise ValueError(f"There are frames of shape {tuple(frames.shape)}; stream one item, of 1 frame at least.")
        check_finite("latents", frames, self.training)
        check_chunk_frames(chunk_frames)
        return self._stream(latents, speaker, chunk_frames)

    def _stream(self, latents, speaker, chunk_frames: int | None, before: float = 0.0) -> Iterator[Tensor]:
        """As `stream`, after so many frames `before` of the sentence that is played meanwhile."""
        if isinstance(latents, VitsPrior):
            frames = latents.sample.detach()
            context = None if self.config.flow_config.mixes_all_frames else flow_context(self.config)
            source = StreamingFlow(self.flow, frames, context, speaker)
        else:
            source = frames = latents.detach()
        context = self.config.decoder_config.receptive_field
        chunks = windows(frames.shape[-1], context, chunk_frames, growth(self.config), before)
        for waveform in decode_chunks(self._run_decoder, source, chunks, speaker):
            yield check_finite("waveform", waveform, self.training)

    def speaker_vector(self, speaker_id: Choice, batch: int) -> Tensor | None:
        """Return speaker vectors (B, S, 1) of `speaker_id` as `forward` takes it; None for a model of one speaker."""
        ids = chosen_ids("speaker", speaker_id, batch, self.config)
        return None if ids is None else self.embed_speaker(ids.to(self.device)).unsqueeze(-1)

    def language_vector(self, language_id: Choice, batch: int) -> Tensor | None:
        """Return language vectors (B, L, 1) of `language_id` as `forward` takes it; None for a model without any."""
        ids = chosen_ids("language", language_id, batch, self.config)
        if not self.config.language_embedding_size:
            return None
        ids = torch.zeros(batch, dtype=torch.long) if ids is None else ids
        return self.embed_language(ids.to(self.device)).unsqueeze(-1)

    def resize_speakers(self, names: Sequence[str], speaker_embedding_size: int | None = None) -> None:
        """
        Make `names` the speakers of this model, in that order, before training it on them; no speaker is ever dropped.

        A known name keeps its embedding at any position. A new name at the position of one that is missing from `names`
        (or had no name) renames that speaker. Every other new name is a new speaker, initialized to the mean of the
        others. A model of one speaker gains the layers that use a speaker vector, and its output is unchanged until
        they are trained. Parameters are added and replaced: create optimizers afterwards.

        Args:
            names (`list[str]`):
                Names of all speakers; a single name for a model of one speaker only names it.
            speaker_embedding_size (`int`, *optional*, defaults to 256):
                Channels of the speaker vectors of a model that has none yet.

        Raises:
            ValueError: for an empty or repeated name, and for a list that would drop a speaker.
        """
        resize_speakers(self, names, speaker_embedding_size)

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding of the tokens, one row per id."""
        return self.text_encoder.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the embedding of the tokens by one with as many columns."""
        self.text_encoder.embed_tokens = value

    def missing_for_training(self) -> list[str]:
        """Return the names of the modules that training needs and this checkpoint lacks; empty if it can be trained."""
        if not self.config.inference_only:
            return []
        parts = ["posterior_encoder"]
        if self.config.use_stochastic_duration_prediction:
            parts += ["duration_predictor.flows.1", "duration_predictor.post_*"]
        return parts


class HfVitsModel(VitsModel):
    """[`VitsModel`] under the model type of checkpoints that transformers cannot run."""

    config_class = HfVitsConfig


def add_training_modules(model: VitsModel) -> tuple[VitsModel, frozenset[str]]:
    """Return the model with the modules that only training uses, and the names of newly initialized parameters."""
    if not model.missing_for_training():
        return model, frozenset()
    config = VitsConfig.from_dict({**model.config.to_dict(), "model_type": "vits", "inference_only": False})
    complete = VitsModel(config)
    state = model.state_dict()
    new = frozenset(name for name, _ in complete.named_parameters() if name not in state)
    complete.load_state_dict({**complete.state_dict(), **state})
    complete.config.name_or_path = complete.name_or_path = model.name_or_path
    return complete, new
