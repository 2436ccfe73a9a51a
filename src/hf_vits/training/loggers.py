"""Log a run: lines of a history file, audio and pictures in folders, and all of it to Accelerate's trackers."""

import importlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import GeneralTracker, get_available_trackers
from torch import Tensor

from hf_vits.data.audio import write_audio
from hf_vits.training.checkpoints import HISTORY
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.atomic_file import new_file

logger = logging.getLogger(__name__)


class AverageMeter:
    """Average losses, and measure seconds per step, since the last `read`."""

    def __init__(self):
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.steps, self.seconds, self.clock = 0, 0.0, time.perf_counter()

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Add one step's losses by name, each (); they stay on the device until `read`."""
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0) + loss
            self.counts[name] = self.counts.get(name, 0) + 1
        self.steps += 1
        self.seconds += time.perf_counter() - self.clock
        self.clock = time.perf_counter()

    def restart_clock(self) -> None:
        """Exclude the time since the last step, which was no training."""
        self.clock = time.perf_counter()

    def read(self, accelerator: Accelerator) -> dict[str, float]:
        """Return the means over steps and processes by name, and start again."""
        means = torch.stack([self.sums[name] / self.counts[name] for name in self.sums])
        if accelerator.num_processes > 1:
            means = accelerator.reduce(means, "mean")
        values = {f"train/{name}": value for name, value in zip(self.sums, means.tolist(), strict=True)}
        values["seconds_per_step"] = self.seconds / self.steps
        self.sums, self.counts, self.steps, self.seconds = {}, {}, 0, 0.0
        return values


class ExperimentLogger:
    """
    Write the history, audio and pictures of a run, and send them to trackers; do nothing on other processes.

    Args:
        accelerator (`Accelerator`):
            Holds the trackers.
        output_dir (`Path`):
            Folder of the run.
        args ([`VitsTrainingArguments`]):
            Settings, for the trackers.
        step (`int`):
            Steps taken so far; lines of the history after it belong to a run that was lost, and are removed.
    """

    def __init__(self, accelerator: Accelerator, output_dir: Path, args: VitsTrainingArguments, step: int = 0):
        self.accelerator, self.output_dir = accelerator, output_dir
        settings = {name: v if isinstance(v, int | float | str) else str(v) for name, v in args.to_dict().items()}
        accelerator.init_trackers("hf_vits", config=settings)
        self.history = [line for line in read_history(output_dir) if line["step"] <= step] if step else []
        if accelerator.is_main_process:
            self._rewrite_history()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line of losses or evaluation measures by name, such as train/mel."""
        line = {"step": step, **values}
        self.history.append(line)  # in every process: all choose the best model
        if not self.accelerator.is_main_process:
            return
        with (self.output_dir / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.accelerator.log(dict(values), step=step)

    def log_audio(self, step: int, name: str, waveform: np.ndarray, sampling_rate: int) -> None:
        """Write a waveform, float (T_wav,), to samples/step-<step>/<name>.wav and to trackers."""
        if self.accelerator.is_main_process:
            file = self._samples(step) / f"{name}.wav"
            write_audio(file, waveform, sampling_rate)
            self._track(file, step)

    def log_figure(self, step: int, name: str, figure) -> None:
        """Write a figure to samples/step-<step>/<name>.png and to trackers."""
        if self.accelerator.is_main_process:
            file = self._samples(step) / f"{name}.png"
            _save_figure(figure, file)
            self._track(file, step)

    def log_json(self, step: int, name: str, value: Mapping) -> None:
        """Write a mapping to samples/step-<step>/<name>.json."""
        if self.accelerator.is_main_process:
            text = json.dumps(value, indent=1, ensure_ascii=False)
            (self._samples(step) / f"{name}.json").write_text(text + "\n", encoding="utf-8")

    def read_json(self, step: int, name: str) -> dict:
        """Return the mapping that `log_json` wrote, empty if it is missing or damaged."""
        try:
            return json.loads((self.output_dir / "samples" / f"step-{step}" / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return {}

    def draw_losses(self) -> None:
        """Draw the history into losses.png."""
        if self.accelerator.is_main_process and any("/" in name for line in self.history for name in line):
            _save_figure(loss_figure(self.history), self.output_dir / "losses.png")

    def _track(self, file: Path, step: int) -> None:
        for tracker in self.accelerator.trackers:
            log_media(tracker, file, step)

    def _samples(self, step: int) -> Path:
        folder = self.output_dir / "samples" / f"step-{step}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _rewrite_history(self) -> None:
        self.output_dir.mkdir(parents=True, exist_ok=True)
        with new_file(self.output_dir / HISTORY) as staged:
            staged.write_text("".join(json.dumps(line) + "\n" for line in self.history), encoding="utf-8")


def check_trackers(names: Sequence[str]) -> list[str]:
    """
    List the trackers to report to, where "all" stands for those that are installed.

    Raises:
        ImportError: for one that is not installed, which Accelerate would leave out without a warning.
    """
    installed = [str(tracker) for tracker in get_available_trackers()]
    if missing := [name for name in names if name not in ("all", *installed)]:
        raise ImportError(
            f"`report_to` has {missing}, which are not installed: `pip install {' '.join(missing)}`, or take them out. "
            f"There are {installed}."
        )
    return installed if "all" in names else list(names)


def read_history(output_dir: Path) -> list[dict[str, float]]:
    """Return the lines of a run's history; a line that was cut off by a crash is left out."""
    file, lines = output_dir / HISTORY, []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            logger.warning(f"{file} has a damaged line, which is left out: {line[:60]}")
    return lines


def loss_figure(history: Sequence[Mapping[str, float]]):
    """Return a `matplotlib.figure.Figure` of a history: each loss over the steps, for training and evaluation."""
    from matplotlib.figure import Figure

    names = sorted({name for line in history for name in line if name.count("/") == 1})
    terms = sorted({name.split("/")[1] for name in names})
    figure = Figure(figsize=(12, 3 * -(-len(terms) // 3)))
    figure.subplots_adjust(left=0.05, right=0.98, hspace=0.4)
    axes = figure.subplots(-(-len(terms) // 3), 3, squeeze=False).flatten()
    for axis in axes[len(terms) :]:
        axis.set_visible(False)
    for axis, term in zip(axes, terms, strict=False):
        for name in (name for name in names if name.split("/")[1] == term):
            _draw_curve(axis, name, history)
        values = [line[name] for line in history for name in line if name.split("/")[-1] == term]
        axis.set(title=term, xlabel="step", yscale="log" if 0 < 50 * min(values) < max(values) else "linear")
        axis.legend()
    return figure


def _draw_curve(axis, name: str, history: Sequence[Mapping[str, float]]) -> None:
    """Draw a value over the steps, with its confidence interval if it has one; that of recordings as a level."""
    lines = [line for line in history if name in line]
    steps, values = [line["step"] for line in lines], [line[name] for line in lines]
    label = name.split("/")[0]
    if label == "recordings":
        axis.axhline(values[-1], color="tab:gray", linestyle="--", label=label)
        return
    axis.plot(steps, values, label=label, marker="." if len(lines) < 30 else None)
    if all(f"{name}/low" in line for line in lines):
        axis.fill_between(steps, *([line[f"{name}/{end}"] for line in lines] for end in ("low", "high")), alpha=0.2)


def _save_figure(figure, path: Path) -> None:
    figure.savefig(path, format="png", dpi=80)


def log_media(tracker: GeneralTracker, file: Path, step: int) -> None:
    """Send a .wav or .png file to a tracker, under the name of the file, if the tracker supports it."""
    if send := SENDERS.get(tracker.name):
        send(tracker, file, step)


def _is_audio(file: Path) -> bool:
    return file.suffix == ".wav"


def _to_tensorboard(tracker: GeneralTracker, file: Path, step: int) -> None:
    if _is_audio(file):
        import soundfile

        waveform, rate = soundfile.read(file, dtype="float32")
        tracker.tracker.add_audio(file.stem, waveform[None], step, sample_rate=rate)
    else:
        from matplotlib.image import imread

        tracker.tracker.add_image(file.stem, imread(file), step, dataformats="HWC")


def _to_media_class(tracker: GeneralTracker, file: Path, step: int) -> None:
    """Log to a tracker whose package has the classes Audio and Image."""
    package = importlib.import_module(tracker.name)
    kind = package.Audio if _is_audio(file) else package.Image
    tracker.log({file.stem: kind(str(file))}, step=step)


def _to_aim(tracker: GeneralTracker, file: Path, step: int) -> None:
    import aim

    value = aim.Audio(str(file), format="wav") if _is_audio(file) else aim.Image(str(file))
    tracker.tracker.track(value, name=file.stem, step=step)


def _to_comet(tracker: GeneralTracker, file: Path, step: int) -> None:
    if _is_audio(file):
        tracker.tracker.log_audio(str(file), file_name=file.stem, step=step)
    else:
        tracker.tracker.log_image(str(file), name=file.stem, step=step)


def _to_clearml(tracker: GeneralTracker, file: Path, step: int) -> None:
    logger = tracker.tracker.get_logger()
    report = logger.report_media if _is_audio(file) else logger.report_image
    report(title="samples", series=file.stem, iteration=step, local_path=str(file))


def _to_mlflow(tracker: GeneralTracker, file: Path, step: int) -> None:
    tracker.log_artifact(str(file), artifact_path=f"samples/step-{step}")


def _to_dvclive(tracker: GeneralTracker, file: Path, step: int) -> None:
    if not _is_audio(file):
        tracker.tracker.log_image(f"{file.stem}/{step}.png", str(file))


SENDERS: dict[str, Callable[[GeneralTracker, Path, int], None]] = {
    "tensorboard": _to_tensorboard,
    "wandb": _to_media_class,
    "trackio": _to_media_class,
    "swanlab": _to_media_class,
    "aim": _to_aim,
    "comet_ml": _to_comet,
    "clearml": _to_clearml,
    "mlflow": _to_mlflow,
    "dvclive": _to_dvclive,
}
"""Functions that send media, by the name of the tracker."""
