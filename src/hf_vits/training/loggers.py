"""What a run reports: lines of a history file, sound and pictures in folders, and the same to Accelerate's trackers."""

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
from hf_vits.utils.new_files import new_file


def show(tracker: GeneralTracker, file: Path, step: int) -> None:
    """Hands a .wav or .png to a tracker, under the name of the file; one that takes none of the kind is left out."""
    if give := GIVE.get(tracker.name):
        give(tracker, file, step)


def _is_sound(file: Path) -> bool:
    return file.suffix == ".wav"


def _to_tensorboard(tracker: GeneralTracker, file: Path, step: int) -> None:
    if _is_sound(file):
        import soundfile

        waveform, rate = soundfile.read(file, dtype="float32")
        tracker.tracker.add_audio(file.stem, waveform[None], step, sample_rate=rate)
    else:
        from matplotlib.image import imread

        tracker.tracker.add_image(file.stem, imread(file), step, dataformats="HWC")


def _logged(tracker: GeneralTracker, file: Path, step: int) -> None:
    """Of those whose package has classes Audio and Image for what is logged."""
    package = importlib.import_module(tracker.name)
    kind = package.Audio if _is_sound(file) else package.Image
    tracker.log({file.stem: kind(str(file))}, step=step)


def _to_aim(tracker: GeneralTracker, file: Path, step: int) -> None:
    import aim

    value = aim.Audio(str(file), format="wav") if _is_sound(file) else aim.Image(str(file))
    tracker.tracker.track(value, name=file.stem, step=step)


def _to_comet(tracker: GeneralTracker, file: Path, step: int) -> None:
    if _is_sound(file):
        tracker.tracker.log_audio(str(file), file_name=file.stem, step=step)
    else:
        tracker.tracker.log_image(str(file), name=file.stem, step=step)


def _to_clearml(tracker: GeneralTracker, file: Path, step: int) -> None:
    logger = tracker.tracker.get_logger()
    report = logger.report_media if _is_sound(file) else logger.report_image
    report(title="samples", series=file.stem, iteration=step, local_path=str(file))


def _to_mlflow(tracker: GeneralTracker, file: Path, step: int) -> None:
    tracker.log_artifact(str(file), artifact_path=f"samples/step-{step}")


def _to_dvclive(tracker: GeneralTracker, file: Path, step: int) -> None:
    if not _is_sound(file):
        tracker.tracker.log_image(f"{file.stem}/{step}.png", str(file))


GIVE: dict[str, Callable[[GeneralTracker, Path, int], None]] = {
    "tensorboard": _to_tensorboard,
    "wandb": _logged,
    "trackio": _logged,
    "swanlab": _logged,
    "aim": _to_aim,
    "comet_ml": _to_comet,
    "clearml": _to_clearml,
    "mlflow": _to_mlflow,
    "dvclive": _to_dvclive,
}
"""By the tracker's name."""


logger = logging.getLogger(__name__)


class AverageMeter:
    """Means of losses, and seconds a step, since they were last read."""

    def __init__(self):
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.steps, self.seconds, self.clock = 0, 0.0, time.perf_counter()

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """One step's losses by name, each (); not looked at before they are read."""
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0) + loss
            self.counts[name] = self.counts.get(name, 0) + 1
        self.steps += 1
        self.seconds += time.perf_counter() - self.clock
        self.clock = time.perf_counter()

    def resume(self) -> None:
        """What was done since the last step does not count as training."""
        self.clock = time.perf_counter()

    def read(self, accelerator: Accelerator) -> dict[str, float]:
        """Means over steps and processes by name; begins anew."""
        means = torch.stack([self.sums[name] / self.counts[name] for name in self.sums])
        if accelerator.num_processes > 1:
            means = accelerator.reduce(means, "mean")
        numbers = {f"train/{name}": value for name, value in zip(self.sums, means.tolist(), strict=True)}
        numbers["seconds_per_step"] = self.seconds / self.steps
        self.sums, self.counts, self.steps, self.seconds = {}, {}, 0, 0.0
        return numbers


class ExperimentLogger:
    """
    Of one run, on the main process; does nothing on others.

    Args:
        accelerator (`Accelerator`):
            Its trackers get what is reported.
        output_dir (`Path`):
            Folder of the run.
        config ([`VitsTrainingArguments`]):
            Settings, for the trackers.
        step (`int`):
            Steps taken so far; lines of the history after it belong to a run that was lost, and are removed.
    """

    def __init__(self, accelerator: Accelerator, output_dir: Path, config: VitsTrainingArguments, step: int = 0):
        self.accelerator, self.output_dir = accelerator, output_dir
        settings = {name: v if isinstance(v, int | float | str) else str(v) for name, v in config.to_dict().items()}
        accelerator.init_trackers("hf_vits", config=settings)
        self.history = [line for line in read_history(output_dir) if line["step"] <= step] if step else []
        if accelerator.is_main_process:
            self._rewrite()

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One line: losses or measures by name, such as train/mel."""
        if not self.accelerator.is_main_process:
            return
        line = {"step": step, **values}
        self.history.append(line)
        with (self.output_dir / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.accelerator.log(dict(values), step=step)

    def sound(self, step: int, name: str, waveform: np.ndarray, sampling_rate: int) -> None:
        """waveform float (T_wav,) -> samples/<step>/<name>.wav and trackers."""
        if not self.accelerator.is_main_process:
            return
        file = self._samples(step) / f"{name}.wav"
        write_audio(file, waveform, sampling_rate)
        self._show(file, step)

    def picture(self, step: int, name: str, figure) -> None:
        """A figure -> samples/<step>/<name>.png and trackers."""
        if not self.accelerator.is_main_process:
            return
        file = self._samples(step) / f"{name}.png"
        save_picture(figure, file)
        self._show(file, step)

    def losses(self) -> None:
        """Draws the history into losses.png."""
        if self.accelerator.is_main_process and any("/" in name for line in self.history for name in line):
            save_picture(loss_picture(self.history), self.output_dir / "losses.png")

    def _show(self, file: Path, step: int) -> None:
        for tracker in self.accelerator.trackers:
            show(tracker, file, step)

    def _samples(self, step: int) -> Path:
        folder = self.output_dir / "samples" / f"step-{step}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _rewrite(self) -> None:
        self.output_dir.mkdir(parents=True, exist_ok=True)
        with new_file(self.output_dir / HISTORY) as staged:
            staged.write_text("".join(json.dumps(line) + "\n" for line in self.history), encoding="utf-8")


def check_trackers(names: Sequence[str]) -> list[str]:
    """
    List the trackers to report to, where "all" stands for those that are installed.

    Raises:
        ImportError: for one that is not installed, which Accelerate would leave out without a word.
    """
    installed = [str(tracker) for tracker in get_available_trackers()]
    if missing := [name for name in names if name not in ("all", *installed)]:
        raise ImportError(
            f"`report_to` has {missing}, which are not installed: `pip install {' '.join(missing)}`, or take them out. "
            f"There are {installed}."
        )
    return installed if "all" in names else list(names)


def read_history(output_dir: Path) -> list[dict[str, float]]:
    """The lines of a run's history; one that was cut off by a crash is left out."""
    file, lines = output_dir / HISTORY, []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            logger.warning(f"{file} has a broken line, which is left out: {line[:60]}")
    return lines


def loss_picture(history: Sequence[Mapping[str, float]]):
    """Lines of the history -> `matplotlib.figure.Figure`: each loss over the steps, held-out measures beside it."""
    from matplotlib.figure import Figure

    names = sorted({name for line in history for name in line if "/" in name})
    terms = sorted({name.split("/")[1] for name in names})
    figure = Figure(figsize=(12, 3 * -(-len(terms) // 3)))
    figure.subplots_adjust(left=0.05, right=0.98, hspace=0.4)
    axes = figure.subplots(-(-len(terms) // 3), 3, squeeze=False).flatten()
    for axis in axes[len(terms) :]:
        axis.set_visible(False)
    for axis, term in zip(axes, terms, strict=False):
        for name in (name for name in names if name.split("/")[1] == term):
            points = [(line["step"], line[name]) for line in history if name in line]
            axis.plot(*zip(*points, strict=True), label=name.split("/")[0], marker="." if len(points) < 30 else None)
        values = [line[name] for line in history for name in line if name.split("/")[-1] == term]
        axis.set(title=term, xlabel="step", yscale="log" if 0 < 50 * min(values) < max(values) else "linear")
        axis.legend()
    return figure


def save_picture(figure, path: Path) -> None:
    """Writes a PNG."""
    figure.savefig(path, format="png", dpi=80)
