"""Train the modules that an inference-only voice lacks on the speech of the voice itself; nothing else changes.

The latents and durations of that speech are known, so both losses are plain likelihoods: that of the latents under the
posterior encoder (paper, equation 3), and the bound of the stochastic duration predictor (section 2.2.2, equation 7).
"""

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from hf_vits.modeling_vits import VitsModel, add_training_modules
from hf_vits.modules.sampling import seed_of
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.initialization import seeded
from hf_vits.training.losses import negative_log_likelihood
from hf_vits.training.own_speech import OwnSpeech, Utterance
from hf_vits.utils.setting_fields import Count, Positive, Whole, check_fields, option

VERSION = 2
"""Increased when equal settings give another result."""

CROP_FRAMES = 96
"""Frames of a crop that the loss counts; its context comes in addition."""

DURATION_LEARNING_RATE = 1e-3
WARMUP_STEPS, LAST_LEARNING_RATE = 50, 1e-6
"""The rate of the posterior encoder rises linearly, then falls by half a cosine."""

MAX_GRAD_NORM = 50.0
LOG_STEPS = 25
"""Steps whose mean losses are a line of the history."""

CHECKED_UTTERANCES = 16
"""Fresh utterances by which the result is checked."""

MEASURES = ("nll", "relative_error", "duration_nll")
"""Negative log likelihood of a latent value, in nats; squared error of the posterior mean, relative to the squared
latents; negative log likelihood of durations, in nats per token."""


@dataclass
class CompletionSettings:
    """
    Settings of [`complete`].

    Raises:
        ValueError: for a value out of range; says which and what is allowed.
    """

    max_steps: Count = option(1800, "Steps to train for.")
    batch_size: Count = option(16, "Crops of the voice's speech per step, 1.1 seconds each in the default voice.")
    learning_rate: Positive = option(6e-4, "Largest learning rate of the posterior encoder.")
    seed: Whole = option(1234, "Seed of the new modules, of the speech and of its crops.")
    cpu_threads: Count | None = option(None, "Threads without a GPU; by default all cores.")

    def __post_init__(self):
        check_fields(self)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that the result depends on, by name."""
        return {name: value for name, value in asdict(self).items() if name != "cpu_threads"}


class Completion:
    """
    The training of the missing modules of a voice.

    Args:
        base ([`VitsModel`]):
            The voice, which lacks modules; it is not changed.
        tokenizer ([`VitsTokenizer`]):
            Its tokenizer.
        texts (`Sequence[str]`):
            What it speaks, as `usable_texts` returns them.
        settings ([`CompletionSettings`]):
            Settings.
    """

    def __init__(self, base: VitsModel, tokenizer: VitsTokenizer, texts: Sequence[str], settings: CompletionSettings):
        self.settings, self.step, self.seconds = settings, 0, 0.0
        with seeded(settings.seed):
            model, new = add_training_modules(copy.deepcopy(base).float())
        self.model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self.speech = OwnSpeech(self.model, tokenizer, texts, settings.seed)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name in new)
        self.new = {name: parameter for name, parameter in self.model.named_parameters() if name in new}
        parts = [
            [value for name, value in self.new.items() if name.startswith("posterior_encoder.")],
            [value for name, value in self.new.items() if not name.startswith("posterior_encoder.")],
        ]
        self.parts = [part for part in parts if part]  # a deterministic duration predictor lacks nothing
        self.optimizer = torch.optim.AdamW(
            [{"params": part} for part in self.parts], betas=(0.8, 0.99), eps=1e-9, fused=True
        )
        self.window: list[list[float]] = []
        self.history: list[dict[str, float]] = []
        self.before: dict[str, float] | None = None

    def train_step(self) -> None:
        """
        Take one step of both parts.

        Raises:
            FloatingPointError: if no gradient of `LOG_STEPS` steps was finite.
        """
        started = time.perf_counter()
        crops = self.speech.crops(self.step, self.settings.batch_size, CROP_FRAMES)
        nll, error = self._posterior(crops.features, crops.latents, crops.mask, crops.weight, crops.speaker_ids)
        duration_nll = self._duration_nll(self.speech.timed(self.step), self.step)
        (nll + duration_nll).backward()
        norms = [nn.utils.clip_grad_norm_(part, MAX_GRAD_NORM) for part in self.parts]
        if all(bool(torch.isfinite(norm)) for norm in norms):
            rates = [self.settings.learning_rate * self._rate_factor() + LAST_LEARNING_RATE, DURATION_LEARNING_RATE]
            for group, rate in zip(self.optimizer.param_groups, rates, strict=False):
                group["lr"] = rate
            self.optimizer.step()
            self.window.append([nll.item(), error.item(), duration_nll.item()])
        self.optimizer.zero_grad(set_to_none=True)
        self.step, self.seconds = self.step + 1, self.seconds + time.perf_counter() - started
        if self.step % LOG_STEPS == 0:
            self._log()

    def _log(self) -> None:
        if not self.window:
            raise FloatingPointError(
                f"No gradient of the last {LOG_STEPS} steps was finite, up to step {self.step}; lower `learning_rate`, "
                "or examine the voice with `hf-vits doctor`."
            )
        self.history.append({"step": self.step, **self.means()})
        self.window = []

    def means(self) -> dict[str, float]:
        """Return the mean of each measure since the last line of the history."""
        columns = zip(*self.window, strict=True)
        return {name: sum(column) / len(column) for name, column in zip(MEASURES, columns, strict=False)}

    def _rate_factor(self) -> float:
        warm = min(1.0, (self.step + 1) / WARMUP_STEPS)
        return warm * (1 + math.cos(math.pi * self.step / self.settings.max_steps)) / 2

    def _posterior(
        self, features: Tensor, latents: Tensor, mask: Tensor, weight: Tensor, speaker_ids: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return negative log likelihood () and relative error () of latents (B, C, T), at frames of weight 1."""
        speaker = self.model.speaker_vector(speaker_ids, len(latents))
        _, mean, log_std = self.model.posterior_encoder(features, mask, speaker, torch.Generator())
        nll = negative_log_likelihood(latents, mean, log_std, weight)
        error = ((latents - mean.detach()).square() * weight).sum() / (latents.square() * weight).sum()
        return nll, error

    def _duration_nll(self, one: Utterance, step: int) -> Tensor:
        """Return the bound of the negative log likelihood of an utterance's durations (), per token; 0 if they are
        deterministic."""
        predictor, hidden = self.model.duration_predictor, one.hidden.unsqueeze(0)
        if not self.model.config.use_stochastic_duration_prediction:
            return hidden.new_zeros(())
        mask, frames = torch.ones_like(hidden[:, :1]), one.durations[None, None].to(hidden)
        speaker, language = self.model.speaker_vector(one.speaker_id, 1), self.model.language_vector(None, 1)
        noise = torch.Generator().manual_seed(seed_of(self.settings.seed, step))
        return predictor.negative_log_likelihood(hidden, mask, frames, speaker, noise, language).sum() / mask.sum()

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """
        Return means over utterances that no step uses: the measures, and the distance of log-mels.

        The distance is the mean absolute difference, in nats, of the speech and of what the decoder makes of a sample
        of its posterior.
        """
        # `eval` drops what kernels keep of weights, which a fused optimizer changes without PyTorch's counting.
        model, spectrogram, found = self.model.eval(), self.speech.spectrogram, []
        for number in range(CHECKED_UTTERANCES):
            one = self.speech.fresh(number)
            features, latents, mask = one.features[None], one.latents[None], torch.ones_like(one.latents[None, :1])
            ids = None if one.speaker_id is None else torch.tensor([one.speaker_id])
            nll, error = self._posterior(features, latents, mask, mask, ids)
            speaker, noise = model.speaker_vector(ids, 1), torch.Generator().manual_seed(number)
            sample = model.posterior_encoder(features, mask, speaker, noise)[0]
            mel = features if model.config.posterior_input == "mel" else spectrogram.mel(features)
            again = spectrogram.mel(spectrogram(model.decoder(sample, speaker)))
            found.append([nll, error, self._duration_nll(one, number), (mel - again).abs().mean()])
        means = torch.tensor(found, dtype=torch.float64).mean(dim=0).tolist()
        return dict(zip((*MEASURES, "mel_distance"), means, strict=True))

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs to be bitwise identical."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "before": self.before,
            "history": self.history,
            "window": self.window,
            "parameters": {name: parameter.detach() for name, parameter in self.new.items()},
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        with torch.no_grad():
            for name, parameter in self.new.items():
                parameter.copy_(state["parameters"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        for name in ("step", "seconds", "before", "history", "window"):
            setattr(self, name, state[name])

    def progress_bar(self) -> tqdm:
        """Return the bar of the steps that are left."""
        return tqdm(total=self.settings.max_steps, initial=self.step, desc="completing", unit="step")
