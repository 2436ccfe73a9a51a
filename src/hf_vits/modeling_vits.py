"""VitsModel: text to latents, latents to waveform (Kim, Kong & Son 2021), in inference.

Axes: B batch · C latent channels · H hidden · S speaker channels · T_text tokens · T_spec frames · T_wav samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from hf_vits.configuration_vits import HfVitsConfig, VitsConfig
from hf_vits.inference.arguments import (
    Choice,
    Scale,
    check_generator,
    check_language_vector,
    check_speaker_vector,
    chosen_ids,
    given_durations,
    scale,
    text_mask,
    token_ids,
)
from hf_vits.inference.durations import frames_of, predicted_durations
from hf_vits.inference.inference_mode import recorded_on_request, unrecorded
from hf_vits.inference.streaming import (
    StreamingFlow,
    check_chunk_frames,
    decode_in_pieces,
    decoder_context,
    flow_context,
    windows,
)
from hf_vits.modeling_utils import StrictPreTrainedModel, check_spoken
from hf_vits.modules.alignment import durations_to_index, expand
from hf_vits.modules.decoders.hifigan import HifiGan
from hf_vits.modules.duration_predictor import DurationPredictor, StochasticDurationPredictor
from hf_vits.modules.flow import Flow
from hf_vits.modules.masks import mask_from_lengths
from hf_vits.modules.posterior_encoder import PosteriorEncoder
from hf_vits.modules.sampling import Generators, prior_noise
from hf_vits.modules.speakers import resize_speakers
from hf_vits.modules.text_encoder import TextEncoder
from hf_vits.utils.formatting import with_known_arguments
from hf_vits.utils.torch_state import is_traced


@dataclass
class VitsModelOutput(ModelOutput):
    """
    What a call of [`VitsModel`] returns.

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
    """What is to be decoded: latents (B, C, T_spec), frame_lengths and durations int64 (B,) and (B, T_text)."""

    latents: Tensor
    frame_lengths: Tensor
    durations: Tensor
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]


@dataclass
class VitsPrior:
    """What the text says: a sample (B, C, T_spec) of the prior before the flow, frame_lengths int64 (B,), durations
    int64 (B, T_text)."""

    sample: Tensor
    frame_lengths: Tensor
    durations: Tensor
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]


def _default(name: str) -> property:
    """A field of the configuration as an attribute of the model, which is how upstream's controls are set."""
    return property(lambda self: getattr(self.config, name), lambda self, value: setattr(self.config, name, value))


class VitsModel(StrictPreTrainedModel):
    """
    A VITS voice: token ids in, waveform out. Weights, keys and files are those of `transformers.VitsModel`.

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

    speaking_rate, noise_scale, noise_scale_duration = map(
        _default, ("speaking_rate", "noise_scale", "noise_scale_duration")
    )

    def __init__(self, config: VitsConfig):
        config = self.config_class.of(config)
        super().__init__(config)
        self.text_encoder = TextEncoder(config)
        self.flow = Flow(config)
        self.decoder = HifiGan(config)
        stochastic = config.use_stochastic_duration_prediction
        self.duration_predictor = StochasticDurationPredictor(config) if stochastic else DurationPredictor(config)
        if config.num_speakers > 1:
            self.embed_speaker = nn.Embedding(config.num_speakers, config.speaker_embedding_size)
        if config.language_embedding_size:
            self.embed_language = nn.Embedding(config.num_languages, config.language_embedding_size)
        if not config.inference_only:
            self.posterior_encoder = PosteriorEncoder(config)
        self.post_init()

    @with_known_arguments()
    @recorded_on_request
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
    ) -> VitsModelOutput | tuple:
        """
        Speaks. With the same draws, item *i* of a padded batch is what it would be alone; it is silent past its length.

        Gradients flow as in transformers' model: a graph is recorded unless grad mode is off or nothing requires a
        gradient. Call it under `torch.no_grad()` to speak: that is faster and takes less memory.

        Args:
            input_ids (`Tensor` of shape `(B, T_text)`, int64):
                Token ids from [`VitsTokenizer`], padded on the right.
            attention_mask (`Tensor` of shape `(B, T_text)`, *optional*):
                One at tokens, zero at padding; without it every position is a token.
            speaker_id (`int`, `str`, a list of either, or `Tensor` of shape `(B,)`, *optional*):
                Who speaks, by id or name; required by a model of several speakers.
            noise_scale (`float` or one per item, *optional*, defaults to the configuration's):
                Scales the prior's standard deviation; 0 takes its mean.
            noise_scale_duration (`float` or one per item, *optional*, defaults to the configuration's):
                Scales the noise of the stochastic duration predictor.
            speaking_rate (`float` or one per item, *optional*, defaults to the configuration's):
                2 speaks twice as fast.
            durations (`Tensor` of shape `(B, T_text)`, *optional*):
                Frames of every token, in place of the predicted ones; `speaking_rate` does not change them.
            generator (`torch.Generator` or one per item, *optional*):
                Source of the noise. With one generator draws are upstream's; with one per item, each item draws what it
                would draw alone.
            language_id (`int`, `str`, a list of either, or `Tensor` of shape `(B,)`, *optional*):
                In which language, by id or name; required by a model of several languages.
            output_attentions, output_hidden_states, return_dict (`bool`, *optional*):
                As everywhere in transformers.

        Raises:
            ValueError: for an empty or overlong text, an id outside the vocabulary, a missing or unknown speaker or
                language, or a control that is not a finite number in its range.
            NotFiniteError: a `ValueError`, if damaged weights would make NaN or infinity of the text; not in training.
        """
        input_ids = token_ids(input_ids, self.device)
        speaker = self.speaker_vector(speaker_id, input_ids.shape[0])
        keep_attentions = _chosen(output_attentions, self.config.output_attentions)
        keep_hidden = _chosen(output_hidden_states, self.config.output_hidden_states)
        out = self.latents(
            input_ids,
            attention_mask,
            speaker,
            noise_scale=noise_scale,
            noise_scale_duration=noise_scale_duration,
            speaking_rate=speaking_rate,
            durations=durations,
            generator=generator,
            language=self.language_vector(language_id, input_ids.shape[0]),
            keep_states=keep_attentions or keep_hidden,
        )
        waveform = self.decode(out.latents, out.frame_lengths, speaker)
        outputs = VitsModelOutput(
            waveform=waveform.squeeze(1),
            sequence_lengths=out.frame_lengths * self.config.hop_length,
            spectrogram=out.latents,
            hidden_states=out.hidden_states if keep_hidden else None,
            attentions=out.attentions if keep_attentions else None,
            durations=out.durations,
        )
        return outputs if _chosen(return_dict, self.config.return_dict) else outputs.to_tuple()

    @with_known_arguments()
    @recorded_on_request
    def prior(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        speaker: Tensor | None = None,
        noise_scale: Scale = None,
        noise_scale_duration: Scale = None,
        speaking_rate: Scale = None,
        durations: Tensor | None = None,
        generator: Generators = None,
        language: Tensor | None = None,
        keep_states: bool = False,
    ) -> VitsPrior:
        """
        What the text says: input_ids (B, T_text) -> a sample of the prior (B, C, T_spec), lengths and durations.

        Arguments are those of `forward`, but speaker and language are vectors (B, S, 1) and (B, L, 1), as
        `speaker_vector` and `language_vector` give them. All randomness of a call is drawn here. `keep_states` keeps
        the text encoder's hidden states and attentions, which grow with the square of the text.
        """
        input_ids = token_ids(input_ids, self.device)
        config, batch = self.config, input_ids.shape[0]
        check_speaker_vector(speaker, batch, config)
        check_language_vector(language, batch, config)
        mask = text_mask(input_ids, attention_mask, config.vocab_size, self.dtype)
        check_generator(generator, batch)
        text = self.text_encoder(input_ids, mask, keep_states, language)
        noise_scale = scale("noise_scale", noise_scale, config.noise_scale, batch, mask)
        if durations is None:
            rate = scale("speaking_rate", speaking_rate, config.speaking_rate, batch, mask.double())
            duration_scale = scale(
                "noise_scale_duration", noise_scale_duration, config.noise_scale_duration, batch, mask
            )
            durations = predicted_durations(
                self.duration_predictor, text.hidden, mask, speaker, duration_scale, rate, generator, language
            )
        else:
            durations = given_durations(durations, input_ids, mask)
        frame_lengths = frames_of(durations, config)
        index = durations_to_index(durations, frame_lengths.max() if is_traced() else int(frame_lengths.max()))
        frame_mask = mask_from_lengths(frame_lengths, index.shape[1], mask.dtype)
        mean, log_std = expand(text.prior_mean, index), expand(text.prior_log_std, index)
        noise = prior_noise(mean, frame_lengths, generator)
        sample = (mean + noise * log_std.exp() * noise_scale) * frame_mask
        check_spoken("sample of the prior", sample, self.training)
        return VitsPrior(sample, frame_lengths, durations, text.hidden_states, text.attentions)

    @recorded_on_request
    def latents(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, speaker: Tensor | None = None, **controls
    ) -> VitsLatents:
        """
        The first half of `forward`: input_ids (B, T_text) -> latents (B, C, T_spec), lengths and durations.

        Arguments are those of `prior`, whose sample the flow makes latents of.
        """
        prior = self.prior(input_ids, attention_mask, speaker, **controls)
        mask = mask_from_lengths(prior.frame_lengths, prior.sample.shape[2], prior.sample.dtype)
        latents = check_spoken("latents", self.flow.inverse(prior.sample, mask, speaker), self.training)
        return VitsLatents(latents, prior.frame_lengths, prior.durations, prior.hidden_states, prior.attentions)

    @with_known_arguments()
    @recorded_on_request
    def decode(self, latents: Tensor, frame_lengths: Tensor | None = None, speaker: Tensor | None = None) -> Tensor:
        """
        The second half of `forward`: latents (B, C, T_spec) -> waveform (B, 1, T_wav), zero past each item's end.

        Items of unequal length are decoded one by one: no sample is computed for padding, and none is touched by it.
        """
        batch, _, frames = latents.shape
        check_speaker_vector(speaker, batch, self.config)
        if is_traced():
            return self.decoder(latents, speaker, frame_lengths)
        lengths = [frames] * batch if frame_lengths is None else torch.as_tensor(frame_lengths).tolist()
        if len(lengths) != batch or not all(0 < length <= frames for length in lengths):
            raise ValueError(
                f"`frame_lengths` is {lengths} for {batch} items of {frames} frames; give one for each, 1 to {frames}."
            )
        check_spoken("latents", latents, self.training)  # the last layer would make full scale of infinity
        if min(lengths) == frames:
            return check_spoken("waveform", self.decoder(latents, speaker), self.training)
        waveform = latents.new_zeros(batch, 1, frames * self.config.hop_length)
        for item, length in enumerate(lengths):
            one = slice(item, item + 1)
            spoken = self.decoder(latents[one, :, :length], None if speaker is None else speaker[one])
            waveform[one, :, : spoken.shape[-1]] = spoken
        return check_spoken("waveform", waveform, self.training)

    @with_known_arguments()
    def stream(
        self, latents: Tensor | VitsPrior, speaker: Tensor | None = None, chunk_frames: int | None = None
    ) -> Iterator[Tensor]:
        """
        Decodes piece by piece: to the samples of `decode`, the first ones after work that does not grow with the rest.
        No graph is recorded.

        Args:
            latents (`Tensor` of shape `(1, C, T_spec)` or what [`VitsModel.prior`] gives):
                Of one item. From a prior, the flow runs piece by piece too.
            speaker (`Tensor` of shape `(1, S, 1)`, *optional*):
                Who speaks, as `speaker_vector` gives it.
            chunk_frames (`int`, *optional*):
                Frames of each piece; without it, some ten, then some thirty, then about a hundred each.

        Returns:
            `Iterator[Tensor]`: of shape `(1, samples)`. Together they are `decode`'s, to rounding.

        Raises:
            ValueError: for more than one item, no frames, a missing speaker, or `chunk_frames` below 1.

        Example:

        ```python
        >>> import torch
        >>> from hf_vits import VitsConfig, VitsModel

        >>> model = VitsModel(VitsConfig(vocab_size=40)).eval()
        >>> prior = model.prior(torch.tensor([[0, 7, 0, 12, 0]]))
        >>> sum(piece.shape[1] for piece in model.stream(prior)) == prior.frame_lengths.item() * 256
        True
        ```
        """
        check_speaker_vector(speaker, 1, self.config)
        frames = (latents.sample if isinstance(latents, VitsPrior) else latents).detach()
        check_spoken("latents", frames, self.training)
        if frames.shape[0] != 1 or frames.shape[-1] < 1:
            raise ValueError(f"There are frames of shape {tuple(frames.shape)}; stream one item, of 1 frame at least.")
        check_chunk_frames(chunk_frames)
        cut = windows(frames.shape[-1], decoder_context(self.config), chunk_frames)
        if isinstance(latents, VitsPrior):
            frames = StreamingFlow(self.flow, frames, flow_context(self.config), speaker)
        return self._each(decode_in_pieces(self.decoder, frames, cut, speaker))

    def _each(self, pieces: Iterator[Tensor]) -> Iterator[Tensor]:
        """Pieces (1, samples) -> the same; whoever takes one may do with it, and meanwhile, what they like."""
        while (piece := self._next(pieces)) is not None:
            yield piece

    @unrecorded
    def _next(self, pieces: Iterator[Tensor]) -> Tensor | None:
        """The next piece (1, samples), or None after the last."""
        piece = next(pieces, None)
        return None if piece is None else check_spoken("waveform", piece, self.training)

    def speaker_vector(self, speaker_id: Choice, batch: int) -> Tensor | None:
        """speaker_id, as `forward` takes it -> speaker vectors (B, S, 1), or None for a model of one speaker."""
        ids = chosen_ids("speaker", speaker_id, batch, self.config)
        return None if ids is None else self.embed_speaker(ids.to(self.device)).unsqueeze(-1)

    def language_vector(self, language_id: Choice, batch: int) -> Tensor | None:
        """language_id, as `forward` takes it -> language vectors (B, L, 1), or None for a model that knows none."""
        ids = chosen_ids("language", language_id, batch, self.config)
        if not self.config.language_embedding_size:
            return None
        ids = torch.zeros(batch, dtype=torch.long) if ids is None else ids
        return self.embed_language(ids.to(self.device)).unsqueeze(-1)

    def resize_speakers(self, names: Sequence[str], speaker_embedding_size: int | None = None) -> None:
        """
        Makes `names` the speakers of this voice, in that order, before it is trained on them; none is ever dropped.

        A known name keeps its speaker's voice wherever it stands. A new name in the place of one that is gone (or never
        had a name) renames that speaker. Every other new name is a new speaker, who starts as the mean of the others.
        A voice of one speaker gains the layers that see a speaker, and all sound as it did until they are trained.
        Parameters are added and replaced: make optimizers afterwards.

        Args:
            names (`list[str]`):
                Names of all speakers; one name for a voice of one speaker only names it.
            speaker_embedding_size (`int`, *optional*):
                Channels of the speaker vectors of a voice that has none yet; 256 if not given.

        Raises:
            ValueError: for an empty or repeated name, and for a list that would lose a speaker.
        """
        resize_speakers(self, names, speaker_embedding_size)

    def get_input_embeddings(self) -> nn.Module:
        """The embedding of the tokens, one row for each id."""
        return self.text_encoder.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the embedding of the tokens by one of as many columns."""
        self.text_encoder.embed_tokens = value

    def missing_for_training(self) -> list[str]:
        """The parts that training needs and this checkpoint does not have, by name; empty if it can be trained."""
        if not self.config.inference_only:
            return []
        parts = ["posterior_encoder"]
        if self.config.use_stochastic_duration_prediction:
            parts += ["duration_predictor.flows.1", "duration_predictor.post_*"]
        return parts


class HfVitsModel(VitsModel):
    """[`VitsModel`] under the model type that Auto classes know this package's extended checkpoints by."""

    config_class = HfVitsConfig


def _chosen(value: bool | None, default: bool) -> bool:
    return default if value is None else value


def add_training_modules(model: VitsModel) -> tuple[VitsModel, frozenset[str]]:
    """The same voice with the parts that only training uses, and the names of the parameters that are new."""
    if not model.missing_for_training():
        return model, frozenset()
    config = VitsConfig.from_dict({**model.config.to_dict(), "model_type": "vits", "inference_only": False})
    whole = VitsModel(config)
    state = model.state_dict()
    fresh = frozenset(name for name, _ in whole.named_parameters() if name not in state)
    whole.load_state_dict({**whole.state_dict(), **state})
    whole.config.name_or_path = whole.name_or_path = model.name_or_path
    return whole, fresh
