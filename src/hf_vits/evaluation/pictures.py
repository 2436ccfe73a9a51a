"""Pictures of a report: mels and F0 of recordings and speech, and the spread of durations; readable on a telephone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_vits.evaluation.base import Utterance
from hf_vits.evaluation.speech_frames import DYNAMIC_RANGE, F0_RANGE, HOP, RATE

SHOWN = 3
"""Sentences that are drawn: the first ones, not the best."""

MAX_DURATIONS = 40
"""Sentences of the picture of durations."""

SIZE, RESOLUTION = 4.5, 160
"""Width of a picture in inches, and pixels per inch; scaled to 320 pixels its text is as small as can be read."""

FOLDER = "pictures"
"""Subfolder of the pictures."""


def draw_sentence(folder: Path, number: int, utterances: Mapping[str, Utterance]) -> list[str]:
    """Draw the mels and F0 of utterances of one sentence, by their labels; return the name of the file in a list."""
    return [_save(sentence_figure(utterances), folder, f"{number + 1:04}.png")]


def draw_durations(folder: Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Draw the lengths of readings of each sentence; return the name of the file in a list, empty without readings."""
    read = [(number, row) for number, row in enumerate(rows, 1) if "readings" in row][:MAX_DURATIONS]
    return [_save(durations_figure(dict(read)), folder, "durations.png")] if read else []


def sentence_figure(utterances: Mapping[str, Utterance]):
    """Draw mels and F0 of utterances, by their labels, in a `matplotlib.figure.Figure`."""
    figure = _figure(1.5 * len(utterances) + 2.2)
    axes = figure.subplots(len(utterances) + 1, 1, sharex=True)
    for axis, (label, utterance) in zip(axes, utterances.items(), strict=False):
        mel, end = utterance.frames.mel, utterance.frames.mel.shape[1] * HOP / RATE
        image = {"origin": "lower", "aspect": "auto", "interpolation": "none", "extent": (0, end, 0, len(mel))}
        axis.imshow(mel, vmin=-DYNAMIC_RANGE, vmax=0, **image)
        axis.set_title(label, loc="left")
        axis.set_ylabel("mel band")
        times = np.arange(len(utterance.frames.f0)) * HOP / RATE
        axes[-1].plot(times, utterance.frames.f0, ".", markersize=3, label=label)
    longest = max(utterance.frames.mel.shape[1] for utterance in utterances.values())
    axes[-1].set(yscale="log", ylim=F0_RANGE, xlim=(0, longest * HOP / RATE), xlabel="seconds", ylabel="hertz")
    axes[-1].minorticks_off()
    axes[-1].set_yticks([75, 150, 300], ["75", "150", "300"])
    axes[-1].set_title("F0", loc="left")
    figure.legend(loc="outside lower center", ncols=len(utterances), markerscale=3, fontsize="small")
    return figure


def durations_figure(rows: Mapping[int, Mapping[str, Any]]):
    """Draw the readings of rows of a report, by the number of the sentence, in a `matplotlib.figure.Figure`."""
    figure = _figure(1.6 + 0.22 * len(rows))
    axis, places = figure.subplots(), np.arange(len(rows))
    lengths = [row["readings"] for row in rows.values()]
    axis.hlines(places, list(map(min, lengths)), list(map(max, lengths)), "tab:blue")
    axis.plot(np.concatenate(lengths), np.repeat(places, list(map(len, lengths))), "|", label="reading")
    recorded = [row.get("recorded_seconds", np.nan) for row in rows.values()]
    if np.isfinite(recorded).any():
        axis.plot(recorded, places, "o", markersize=4, label="recording")
    axis.set_yticks(places, list(map(str, rows)))
    axis.set(xlabel="seconds", ylabel="sentence", xlim=(0, None))
    axis.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=3, fontsize="small")
    return figure


def _figure(height: float):
    from matplotlib.figure import Figure

    return Figure(figsize=(SIZE, height), layout="constrained")


def _save(figure, folder: Path, name: str) -> str:
    (folder / FOLDER).mkdir(exist_ok=True)
    figure.savefig(folder / FOLDER / name, dpi=RESOLUTION)
    return f"{FOLDER}/{name}"
