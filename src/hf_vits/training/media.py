"""How each of Accelerate's trackers takes the file of a sound or a picture; Accelerate has one way for some alone."""

import importlib
from collections.abc import Callable
from pathlib import Path

from accelerate.tracking import GeneralTracker


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
