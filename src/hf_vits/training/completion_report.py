"""Report how a voice was completed, as JSON and for the model card: settings, minutes, losses and the check."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_vits.training.completion import CHECKED_UTTERANCES, CROP_FRAMES, VERSION, Completion

REPORT = "completion.json"
"""File of the report, in the folder of a completed voice."""

ROWS = {
    "nll": "negative log likelihood of a latent value, nats",
    "relative_error": "squared error of latents, relative to their squares",
    "duration_nll": "negative log likelihood of durations, nats per token",
    "mel_distance": "mean difference of log-mels of decoded posterior samples, nats",
}
"""The measures of the check, in words."""


def build_report(completion: Completion, base: str, trained: Sequence[str], texts: str) -> dict[str, Any]:
    """
    Check the new modules on fresh speech, and return the report.

    Args:
        completion ([`Completion`]):
            A finished training.
        base, texts (`str`):
            Names of the voice and of what it spoke.
        trained (`Sequence[str]`):
            The modules that it lacked.
    """
    return {
        "base": base,
        "version": VERSION,
        "trained": list(trained),
        "texts": texts,
        "settings": completion.settings.identity,
        "utterances": completion.speech.pool(completion.step - 1).stop,
        "minutes": completion.seconds / 60,
        "device": completion.model.device.type,
        "before": completion.before,
        "after": completion.check(),
        "history": completion.history,
    }


def read_report(folder: Path) -> dict[str, Any]:
    """Return the report in the folder of a completed voice."""
    return json.loads((folder / REPORT).read_text(encoding="utf-8"))


def notes_of(report: dict[str, Any]) -> list[str]:
    """Return what the model card says."""
    settings, before, after = report["settings"], report["before"], report["after"]
    trained, history = ", ".join(f"`{name}`" for name in report["trained"]), report["history"]
    losses = f"from {history[0]['nll']:.3f} to {history[-1]['nll']:.3f}" if history else "not logged"
    return [
        f"`{report['base']}` was converted for inference only. Its missing modules, {trained}, were trained with "
        "hf_vits on speech of the voice itself, whose latents and durations are known. All other parameters are its "
        "own, bitwise.",
        f"{settings['max_steps']:,} steps of {settings['batch_size']} crops of {CROP_FRAMES} frames, from "
        f"{report['utterances']:,} utterances of {report['texts']}, in {report['minutes']:.3g} minutes on "
        f"{report['device']}. Negative log likelihood of a latent value: {losses}.",
        f"On {CHECKED_UTTERANCES} utterances that were not trained on, before and after: "
        + "; ".join(f"{text} {before[name]:.3f}, {after[name]:.3f}" for name, text in ROWS.items())
        + ".",
        "The discriminator is that of the voice, if it had one. Otherwise training makes a new one, and trains it "
        "first.",
    ]
