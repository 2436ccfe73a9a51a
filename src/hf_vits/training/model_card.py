"""The model card of a run: what the voice was made from and how, and what it sounds like, in words."""

import html
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from huggingface_hub import ModelCard, ModelCardData

from hf_vits.hub.cards import called, is_on_hub, language_code, versions
from hf_vits.training.loggers import read_history

if TYPE_CHECKING:
    from hf_vits.training.trainer import VitsTrainer


import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from hf_vits.hub.license import CARD, CARD_BESIDE
from hf_vits.training.evaluation import SHOWN_CLIPS
from hf_vits.utils.new_files import new_file

if TYPE_CHECKING:
    from hf_vits.training.trainer import VitsTrainer


MARK = "<!-- Written by a run of hf_vits; the next one replaces it. Take this line out to keep what you write here. -->"
"""Tells the card of a run from one that somebody wrote."""

MEDIA = "card"
"""Subfolder of the sounds and pictures that a card shows."""

Samples = Sequence[tuple[str, str]]
"""The name of each sample, which is that of its files, and what is said in it."""


def card(trainer: "VitsTrainer", samples: Samples, has_losses: bool) -> ModelCard:
    """The card of a run as it stands; `has_losses` says whether there is a picture of them beside the samples."""
    sections = [
        f"# {trainer.output_dir.resolve().name}",
        MARK,
        _summary(trainer),
        _use(trainer, samples),
        _licence(trainer),
        _listen(samples),
        _data(trainer),
        _losses(trainer, has_losses),
        _training(trainer),
        versions(),
    ]
    body = "\n\n".join(section for section in sections if section)
    return ModelCard(f"---\n{_metadata(trainer).to_yaml()}\n---\n\n{body}\n")


def _metadata(trainer: "VitsTrainer") -> ModelCardData:
    origin, speaks, base = trainer.start.origin, language_code(trainer.tokenizer), None
    if origin is not None:
        base = origin.on_hub[0] if len(origin.on_hub) == 1 else origin.on_hub or None
    return ModelCardData(
        language=speaks or (origin.language if origin and origin.language else None),
        license=origin and origin.license,
        license_name=origin and origin.license_name,
        license_link=origin and origin.license_link,
        library_name="hf_vits",
        pipeline_tag="text-to-speech",
        tags=["text-to-speech", "vits", "hf_vits"],
        base_model=base,
        datasets=[trainer.data_name] if is_on_hub(trainer.data_name) else None,
    )


def _summary(trainer: "VitsTrainer") -> str:
    config, origin = trainer.start.model.config, trainer.start.origin
    begun = "a new voice" if origin is None else f"`{origin.name}`" if origin.name else "a voice without a name"
    data = f" on {called(trainer.data_name)}" if trainer.data_name else ""
    speakers = f"{config.num_speakers} speakers" if config.num_speakers > 1 else "one speaker"
    names = f" ({', '.join(map(html.escape, config.speaker_names))})" if config.speaker_names else ""
    return (
        f"A VITS text-to-speech voice: {speakers}{names}, {config.sampling_rate:,} Hz. Trained with hf_vits from "
        f"{begun}{data}, {trainer.progress.step:,} steps."
    )


def _use(trainer: "VitsTrainer", samples: Samples) -> str:
    config, tokenizer = trainer.start.model.config, trainer.tokenizer
    text = json.dumps(samples[0][1] if samples else "Hello there.", ensure_ascii=False)
    folder = json.dumps(trainer.output_dir.resolve().name, ensure_ascii=False)
    first = json.dumps(config.speaker_names[0], ensure_ascii=False) if config.speaker_names else 0
    speaker = f", speaker_id={first}" if config.num_speakers > 1 else ""
    extra = "[phonemes]" if tokenizer.phonemize or tokenizer.is_uroman else ""
    return f"""## Use

`pip install "hf_vits{extra}"`, then:

```python
import soundfile
from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer

voice = {folder}  # the folder of this card, or its name on the Hub
speak = TextToSpeechPipeline(VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice))
speech = speak({text}{speaker})
soundfile.write("speech.wav", speech["audio"], speech["sampling_rate"])
```

Its judges are in `discriminator/`: it can be trained further, with `model_name_or_path` in hf_vits' training."""


def _licence(trainer: "VitsTrainer") -> str:
    origin, data = trainer.start.origin, "The recordings that it was trained on have a licence of their own."
    if origin is None:
        return f"## Licence\n\nTrained from scratch; this run does not know under what licence it is given away. {data}"
    name = f"`{origin.name}`" if origin.name else "a voice whose name is unknown"
    if origin.on_hub == [origin.name]:
        name = f"[{origin.name}](https://huggingface.co/{origin.name})"
    if not origin.license:
        found = f"The licence of that voice is **unknown: find out before you pass this one on.** {data}"
    else:
        found = f"Licence of that voice, under which this one is too: **{origin.license_in_words}**. {data}"
    warning = ""
    if origin.is_non_commercial:
        warning = "\n\n> **Not for commercial use:** the licence of the voice that it was made from forbids it."
    return f"## Licence\n\nMade from {name}. {found}{warning}"


def _listen(samples: Samples) -> str:
    shown = [
        f"> {html.escape(text, quote=False)}\n\n"
        f'<audio controls src="{MEDIA}/{name}.wav"></audio>\n\n'
        f"![Mels and alignment]({MEDIA}/{name}.png)"
        for name, text in samples
    ]
    return "\n\n".join(["## Samples\n\nSentences that it was not trained on:", *shown]) if shown else ""


def _data(trainer: "VitsTrainer") -> str:
    report, name = trainer.report, trainer.data_name
    lines = ["## Data", "", f"Data: {called(name)}." if name else "The run was not told what its data is called.", ""]
    if report is None:
        lines += [f"Read as a stream, {_passes(trainer)}; its clips were not counted."]
    else:
        lines += [
            "| | clips | hours |",
            "|---|---|---|",
            f"| trained on | {report.kept} | {report.seconds / 3600:.2f} |",
        ]
        if trainer.evaluation is not None:
            clips, rate = trainer.evaluation.clips.clips, trainer.start.model.config.sampling_rate
            hours = sum(clip.num_samples for clip in clips) / rate / 3600
            lines += [f"| held out and evaluated | {len(clips)} | {hours:.2f} |"]
        lines += [f"| left out: {reason} | {count} | |" for reason, count in report.dropped.most_common()]
        lines += [f"| trained on, though noted: {kind} | {count} | |" for kind, count in report.noted.most_common()]
        lines += ["", f"{_passes(trainer)} over them."]
    return "\n".join(lines)


def _passes(trainer: "VitsTrainer") -> str:
    part = ", and part of the next" if trainer.progress.batch else ""
    return f"{trainer.progress.epoch} whole passes{part}"


def _losses(trainer: "VitsTrainer", is_drawn: bool) -> str:
    lines = [line for line in read_history(trainer.output_dir) if line["step"] <= trainer.progress.step]
    kind = "held_out" if any("held_out/mel" in line for line in lines) else "train"
    lines = [line for line in lines if f"{kind}/mel" in line]
    if not lines:
        return ""
    shown = [lines[0], lines[-1]] if lines[-1]["step"] > lines[0]["step"] else [lines[-1]]
    steps = [f"step {line['step']}" for line in shown]
    rows = [
        f"| {name.split('/')[1]} | {' | '.join(f'{line[name]:.4g}' for line in shown)} |"
        for name in shown[-1]
        if name.startswith(f"{kind}/") and name in shown[0]
    ]
    stochastic = trainer.start.model.config.use_stochastic_duration_prediction
    duration = "nats per token" if stochastic else "squared error of the logarithm, per token"
    what = "On held-out clips" if kind == "held_out" else "On the training data, means since the line before"
    return "\n".join(
        [
            "## Losses",
            "",
            f"{what}. mel: distance of log-mels; kl: nats per frame; duration: {duration}; focus: 1 is a sharp "
            "alignment.",
            "",
            f"| | {' | '.join(steps)} |",
            "|---|" + "---|" * len(shown),
            *rows,
            *(["", f"![Losses over the steps]({MEDIA}/losses.png)"] if is_drawn else []),
        ]
    )


def _training(trainer: "VitsTrainer") -> str:
    accelerator, progress, hours = trainer.accelerator, trainer.progress, _hours(trainer)
    settings = trainer.config.to_dict()
    defaults = type(trainer.config)().to_dict()
    settings["output_dir"] = trainer.output_dir.resolve().name
    defaults["mixed_precision"], settings["mixed_precision"] = "no", accelerator.mixed_precision  # the launcher's too
    changed = {name: value for name, value in settings.items() if value != defaults[name] and name != "output_dir"}
    return f"""## Training

{progress.step:,} steps on {accelerator.device.type}, with {accelerator.num_processes} process(es), in about
{hours:.2f} hours. Steps skipped because a gradient was not finite: {progress.skipped}.{_fresh(trainer)}

Settings that are not the default: {_listed(changed)}.

<details><summary>All settings, as a file for <code>--config</code></summary>

```json
{json.dumps(settings, indent=2, ensure_ascii=False)}
```

</details>"""


def _fresh(trainer: "VitsTrainer") -> str:
    start = trainer.start
    if not start.has_fresh_parts:
        return ""
    parts = sorted({name.split(".")[0] for name in start.fresh})
    parts += ["discriminator"] if start.fresh_discriminator else []
    steps = min(trainer.config.new_module_steps, trainer.progress.step)
    return (
        f"\n\nThe voice that it was made from lacked {', '.join(parts)}, in whole or in part; these began new, and "
        f"were trained alone for the first {steps:,} steps."
    )


def _hours(trainer: "VitsTrainer") -> float:
    """Time that the steps of the history took, without evaluations and saving."""
    seconds, before = 0.0, 0
    for line in read_history(trainer.output_dir):
        if "seconds_per_step" in line:
            seconds, before = seconds + (line["step"] - before) * line["seconds_per_step"], line["step"]
    return seconds / 3600


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"`{name}` {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items()) or "none"


def write_card(folder: Path, trainer: "VitsTrainer", name: str = CARD) -> None:
    """Writes the card, and what it shows, into a folder that is being made."""
    samples, losses = _copy_samples(folder, trainer), _copy(trainer.output_dir / "losses.png", folder)
    card(trainer, samples, losses).save(folder / name)


def card_filename(folder: Path) -> str:
    """What the card is to be called: README.md, unless somebody else's is there."""
    file = folder / CARD
    return CARD if not file.is_file() or MARK in file.read_text(encoding="utf-8", errors="replace") else CARD_BESIDE


def remove_unlinked(folder: Path) -> None:
    """Removes sounds and pictures of earlier cards, which the one that is there does not show."""
    text = (folder / card_filename(folder)).read_text(encoding="utf-8")
    for file in (folder / MEDIA).glob("row-*"):
        if f"{MEDIA}/{file.name}" not in text:
            file.unlink()


def set_address(folder: Path, repository: str) -> None:
    """Has the card of a folder say under which name of the Hub the voice is loaded."""
    file = folder / card_filename(folder)
    if not file.is_file():
        return
    text, voice = file.read_text(encoding="utf-8"), f"voice = {json.dumps(repository)}  #"
    with new_file(file) as staged:
        staged.write_text(re.sub(r"(?m)^voice = .*?  #", lambda _: voice, text, count=1), encoding="utf-8")


def _copy_samples(folder: Path, trainer: "VitsTrainer") -> list[tuple[str, str]]:
    """Copies the newest speech and pictures of held-out clips; gives their names and what is said in them.

    Recordings are left out: whether they may be passed on is for the owner of the data to say.
    """
    if trainer.evaluation is None:
        return []
    evaluated = {int(path.name[5:]): path for path in trainer.output_dir.glob("samples/step-*")}
    newest = evaluated.get(max((step for step in evaluated if step <= trainer.progress.step), default=None))
    if newest is None:
        return []
    held_out, samples = trainer.evaluation.clips, []
    for clip in held_out.clips:
        name = f"row-{clip.row}"
        if len(samples) < SHOWN_CLIPS and _copy(newest / f"{name}.wav", folder):
            _copy(newest / f"{name}.png", folder)
            samples.append((name, " ".join(str(held_out.rows[clip.row][trainer.columns.text]).split())))
    return samples


def _copy(file: Path, folder: Path) -> bool:
    """Copies a file to where cards have what they show; false if there is none."""
    if file.is_file():
        (folder / MEDIA).mkdir(exist_ok=True)
        shutil.copyfile(file, folder / MEDIA / file.name)
    return file.is_file()
