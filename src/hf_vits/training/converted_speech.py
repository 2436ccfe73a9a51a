"""Own speech of a base model as the target speaker might say it: the decoder learns the new voice from it first.

The latents of own speech are known, so the decoder learns no wrong words. Its pitch is moved by whole octaves, because
overlap-add (PSOLA) then puts each period where the latents have one, and its spectral envelope to that of the
recordings. How recordings sound beyond that, a discriminator compares, which needs no pairs.
"""

import copy
import math
import random
from collections.abc import Sequence
from dataclasses import replace

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.sampling import seed_of
from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.dataloader import MapLoader, StreamingLoader
from hf_vits.training.envelope_conversion import EnvelopeConverter, EnvelopeExample, Envelopes, train_converter
from hf_vits.training.generator import Segments, VitsGenerator
from hf_vits.training.latent_pitch import (
    clips_by_speaker,
    median_pitches,
    pitch_of_frames,
    pitch_ratio,
    recorded_pitches,
)
from hf_vits.training.own_speech import OwnSpeech, spoken_texts
from hf_vits.training.phase_preparation import PhasePreparation
from hf_vits.training.replay import Replay, Utterance
from hf_vits.training.speaker_perturbation import overlap_added
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.formatting import listed

MEASURED_CLIPS, MEASURED_UTTERANCES = 200, 40
"""Recordings that pitch and envelopes are learned from at most, and utterances of the base model whose pitch is."""

MAX_OCTAVES = 1
"""Octaves by which pitch is moved at most: beyond, overlap-add makes no speech."""

LOSSES_OF_PAIRS = ("converted_spectrum", "converted_waveform")
"""Losses of segments and what they should be."""

MEASURED, CONVERTER, POOL = range(3)
"""Numbers that keep the seeds of these draws apart."""


class ConvertedVoice:
    """
    Turns speech of a model into that of target speakers.

    Args:
        converter ([`EnvelopeConverter`]):
            The network of envelopes.
        envelopes ([`Envelopes`]):
            Cepstra and filters.
        octaves (`dict[int | None, int]`):
            Octaves by which the pitch of each speaker is moved, by the id; `None` is the only one of a model.
        sampling_rate (`int`):
            Samples per second.
    """

    def __init__(
        self, converter: EnvelopeConverter, envelopes: Envelopes, octaves: dict[int | None, int], sampling_rate: int
    ):
        self.converter, self.envelopes, self.octaves, self.sampling_rate = converter, envelopes, octaves, sampling_rate

    def __call__(self, waveform: Tensor, speaker_id: int | None) -> Tensor:
        """waveform (T_wav,) of the model -> what the target would say (T_wav,)."""
        moved = octave_moved(waveform, self.octaves[speaker_id], self.sampling_rate)
        number = list(self.octaves).index(speaker_id)
        change = self.converter.change(self.envelopes.cepstrum(moved), number)
        return self.envelopes.filtered(moved, change)


class ConvertedPool(Replay):
    """
    Segments of a model's own speech, converted; arguments are those of [`Replay`], and `voice`, which converts.
    """

    def __init__(
        self,
        model: VitsModel,
        texts: Sequence[Sequence[int]],
        speakers: Sequence[int | None],
        size: int,
        seed: int,
        voice: ConvertedVoice,
    ):
        super().__init__(model, texts, speakers, size, seed)
        self.voice = voice

    def _utterance(self, number: int, generator: VitsGenerator) -> Utterance:
        if number not in self.known:
            said = super()._utterance(number, generator)
            waveform = self.voice(said.waveform[0].float().cpu(), said.speaker_id)
            waveform = waveform.to(said.waveform)[None]
            with torch.autocast(waveform.device.type, enabled=False):
                spectrogram = generator.spectrogram(waveform[None])[0]
            self.known[number] = Utterance(said.latents, spectrogram, waveform, said.speaker_id)
        return self.known[number]


class SpeechConversion(PhasePreparation[ConvertedPool]):
    """
    What the decoder learns while it is converted: segments of own speech as the target would say it.

    The base model is that of the first of these steps; its decoder is kept from before training, so that a resumed run
    has the same speech. Arguments are those of [`PhasePreparation`].
    """

    def __init__(self, model: VitsModel, *args):
        super().__init__(model, *args)
        self.base_decoder: nn.Module = copy.deepcopy(model.decoder)

    def segments(self, generator: VitsGenerator, step: int, *draw: int) -> Segments:
        """Return the segments of a step and of further numbers, such as that of the process, decoded by `generator`."""
        return replace(self.prepared.segments(generator, step, *draw), requested_losses=LOSSES_OF_PAIRS)

    @torch.no_grad()
    def prepare(self) -> ConvertedPool:
        """Measure the octaves, train the network of envelopes, and return the pool of converted speech."""
        args, config = self.args, self.model.config
        base = copy.deepcopy(self.model).eval().requires_grad_(False)
        base.decoder.load_state_dict(self.base_decoder.state_dict())
        tokenizer, texts = spoken_texts(self.model, self.tokenizer, self.recordings.rows, self.text_column)
        by_speaker = clips_by_speaker(self.recordings, config, MEASURED_CLIPS)
        octaves = self._octaves(base, tokenizer, texts, by_speaker)
        shown = listed([f"{number:+d}" for number in sorted(set(octaves.values()))])
        self.announce(f"The base voice is converted to the recorded one; its pitch is moved by {shown} octaves.")
        spectrogram = Spectrogram(config).to(base.device)
        envelopes = Envelopes(spectrogram, config.sampling_rate)
        examples = [
            self._example(base, spectrogram, envelopes, self.recordings[number][1], key, octaves)
            for key, numbers in by_speaker.items()
            for number in numbers
        ]
        with torch.enable_grad():
            converter, error = train_converter(examples, seed_of(args.seed, CONVERTER))
        self.announce(f"Its envelopes come {1 - error:.0%} closer to those of the recordings than their mean is.")
        ids, size = [tokenizer(text).input_ids for text in texts], args.per_device_train_batch_size
        voice = ConvertedVoice(converter, envelopes, octaves, config.sampling_rate)
        return ConvertedPool(base, ids, list(octaves), size, seed_of(args.seed, POOL), voice)

    def _octaves(
        self, base: VitsModel, tokenizer: VitsTokenizer, texts: Sequence[str], by_speaker: dict[int | None, list[int]]
    ) -> dict[int | None, int]:
        """Return the octaves nearest to the difference in pitch of each speaker; 0 where it is unknown."""
        config, seed = base.config, seed_of(self.args.seed, MEASURED)
        own = OwnSpeech(base, tokenizer, texts, seed, [key for key in by_speaker if key is not None])
        spoken = [own.say(random.Random(seed_of(seed, number)), own.texts, {}) for number in range(MEASURED_UTTERANCES)]
        sizes = config.sampling_rate, config.hop_length
        bases = median_pitches((one.speaker_id, pitch_of_frames(one.waveform[0, 0], *sizes)) for one in spoken)
        recorded = recorded_pitches(self.recordings, by_speaker, config)
        if not (bases and recorded):
            return dict.fromkeys(by_speaker, 0)
        nearest = {key: round(math.log2(pitch_ratio(key, recorded, bases))) for key in by_speaker}
        return {key: min(max(octaves, -MAX_OCTAVES), MAX_OCTAVES) for key, octaves in nearest.items()}

    def _example(
        self,
        base: VitsModel,
        spectrogram: Spectrogram,
        envelopes: Envelopes,
        recording: Tensor,
        speaker_id: int | None,
        octaves: dict[int | None, int],
    ) -> EnvelopeExample:
        """Return a recording beside what the base model makes of its latents."""
        magnitudes = spectrogram(recording.to(base.device)[None, None])
        features = spectrogram.mel(magnitudes) if base.config.posterior_input == "mel" else magnitudes
        speaker = base.speaker_vector(speaker_id, 1)
        latents, _ = base.posterior_encoder.distribution(features, torch.ones_like(features[:, :1]), speaker)
        said = base.decode(latents, speaker=speaker)[0, 0].float().cpu()
        moved = octave_moved(said, octaves[speaker_id], base.config.sampling_rate)
        number = list(octaves).index(speaker_id)
        target = envelopes.cepstrum(recording.float().cpu()[: len(said)])
        return EnvelopeExample(envelopes.cepstrum(moved), target, number)


def octave_moved(waveform: Tensor, octaves: int, sampling_rate: int) -> Tensor:
    """waveform (T,) -> the same, so many octaves higher (T,)."""
    return overlap_added(waveform, 2.0**octaves, sampling_rate) if octaves else waveform


def conversion_of(
    args: VitsTrainingArguments,
    model: VitsModel,
    tokenizer: VitsTokenizer,
    loader: MapLoader | StreamingLoader,
    text_column: str,
    accelerator: Accelerator,
) -> SpeechConversion | None:
    """
    Return what the decoder learns while it is converted; `None` if it is not.

    Raises:
        ValueError: if the data is a stream, whose recordings are not known.
    """
    if not args.conversion_steps:
        return None
    if not isinstance(loader, MapLoader):
        raise ValueError(
            "`conversion_steps` measures the recordings, and needs data that is no stream. Load it as a whole, or set "
            "`conversion_steps` to 0."
        )
    return SpeechConversion(model, tokenizer, loader.clips_dataset, text_column, args, accelerator)
