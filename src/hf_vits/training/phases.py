"""The phases of a run: how many steps it has, and what each of them trains."""

import logging
from dataclasses import replace
from enum import Enum

from hf_vits.data.filter_report import FilterReport
from hf_vits.training.initialization import ModelInitialization
from hf_vits.training.training_arguments import POSTERIOR_ENCODER, VitsTrainingArguments

logger = logging.getLogger(__name__)

PREDICTOR = "duration_predictor"
"""Module that the last phase trains."""


class Phase(Enum):
    """The part that a step trains: modules that the base model lacked; the posterior encoder, by its divergence from
    the prior; the decoder, on converted own speech; all that is not frozen; or the duration predictor, against a
    discriminator of durations."""

    NEW = "new modules"
    ADAPTATION = "posterior encoder"
    CONVERSION = "decoder, on converted speech"
    ALL = "all modules"
    DURATIONS = "duration predictor"


def phase_at(step: int, args: VitsTrainingArguments, initialization: ModelInitialization) -> Phase:
    """Return what the step after so many steps trains."""
    if args.duration_adversarial_steps and step >= first_duration_step(args):
        return Phase.DURATIONS
    start = args.new_module_steps if initialization.new_parameters else 0  # an encoder that is new is trained first
    adapted = start + args.posterior_adaptation_steps
    if start <= step < adapted:
        return Phase.ADAPTATION
    if adapted <= step < adapted + args.conversion_steps:
        return Phase.CONVERSION
    return Phase.NEW if initialization.new_modules and step < args.new_module_steps else Phase.ALL


def limited_steps(args: VitsTrainingArguments, report: FilterReport | None, announce: bool = True) -> int:
    """
    Return `max_steps`, or fewer if `max_steps_per_minute` allows no more for the recordings that are trained on.

    Raises:
        ValueError: if there is such a limit and the data is a stream, which has no report; or if settings of a run do
            not fit the fewer steps.
    """
    limit = args.max_steps_per_minute
    if limit is None:
        return args.max_steps
    if report is None:
        raise ValueError("`max_steps_per_minute` needs data that is no stream. Load it as a whole, or leave it out.")
    minutes = report.seconds / 60
    steps = max(1, round(limit * minutes))
    if steps >= args.max_steps:
        return args.max_steps
    replace(args, max_steps=steps)  # checks the settings with it
    if announce:
        logger.info(
            f"{minutes:.1f} minutes of recordings: {steps:,} steps in place of {args.max_steps:,} "
            f"(`max_steps_per_minute` is {limit:,})."
        )
    return steps


def first_duration_step(args: VitsTrainingArguments) -> int:
    """Return the number of steps before those that train the duration predictor alone."""
    return args.max_steps - args.duration_adversarial_steps


def trained_names(phase: Phase, rates: dict[str, float], initialization: ModelInitialization) -> list[str]:
    """
    Return the names of the parameters that a phase trains, before those of frozen modules are left out.

    Args:
        phase ([`Phase`]):
            The phase.
        rates (`dict[str, float]`):
            Factor on the learning rate of each parameter by name; a phase of one module takes it in full.
        initialization ([`ModelInitialization`]):
            Tells which are newly initialized.
    """
    module = {Phase.ADAPTATION: POSTERIOR_ENCODER, Phase.DURATIONS: PREDICTOR}.get(phase)
    if module is not None:
        return [name for name in rates if name.startswith(f"{module}.")]
    if phase is Phase.CONVERSION:
        return [name for name, rate in rates.items() if rate and name.startswith("decoder.")]
    new = initialization.new_parameters
    return [name for name, rate in rates.items() if rate and (phase is Phase.ALL or name in new)]


def trains_discriminator(phase: Phase, initialization: ModelInitialization) -> bool:
    """Return True if a phase trains the discriminator: where the decoder learns, and a new one from the start."""
    if phase in (Phase.CONVERSION, Phase.ALL):
        return True
    return initialization.new_discriminator and phase is not Phase.DURATIONS
