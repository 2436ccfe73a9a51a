"""What is said when a run has ended: where the voice is, how to hear it, and how to train it further."""

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hf_vits.training.trainer import VitsTrainer

LONGEST_TEXT = 80
"""Characters of a held-out text that is spoken as an example; a longer one is no example."""


def closing_message(trainer: "VitsTrainer") -> str:
    """Return the lines for a run whose voice was just written into its folder."""
    progress, steps = trainer.progress, trainer.config.max_steps
    voice = f"--voice {shlex.quote(str(trainer.output_dir))}{_speaker(trainer)}"
    is_finished = progress.step >= steps
    done = f"all {steps:,} steps" if is_finished else f"{progress.step:,} of {steps:,} steps"
    more = f", and `--max_steps` above {steps}" if is_finished else ""
    return "\n".join(
        [
            f"The voice is in {trainer.output_dir}, after {done}.",
            f"Hear it:  hf-vits speak {shlex.quote(_text(trainer))} {voice} --output hello.wav",
            f"Go on:    the same command with --resume_from_checkpoint latest{more}",
        ]
    )


def _text(trainer: "VitsTrainer") -> str:
    """A text of the voice's language: a held-out one, if any is short."""
    if trainer.evaluation is not None:
        held_out = trainer.evaluation.clips
        for clip in held_out.clips:
            text = " ".join(str(held_out.rows[clip.row][trainer.columns.text]).split())
            if len(text) <= LONGEST_TEXT and not text.startswith("-"):
                return text
    return "Hello."


def _speaker(trainer: "VitsTrainer") -> str:
    config = trainer.start.model.config
    if config.num_speakers < 2:
        return ""
    return f" --speaker {shlex.quote(config.speaker_names[0] if config.speaker_names else '0')}"
