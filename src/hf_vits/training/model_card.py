"""The model card of a run: what the model was made from and how, its losses, and samples to listen to."""

import html
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from hf_vits.hub.cards import called, is_on_hub, language_code, plain_name, versions
from hf_vits.hub.license import CARD, CARD_BESIDE
from hf_vits.training.evaluation import SHOWN_CLIPS
from hf_vits.training.evaluation_arguments import shown_settings
from hf_vits.training.loggers import read_history
from hf_vits.training.losses import LOSSES
from hf_vits.training.phases import first_duration_step
from hf_vits.training.run_summary import RunSummary
from hf_vits.utils.atomic_file import new_file

MARK = "<!-- Written by a run of hf_vits; the next one replaces it. Take this line out to keep what you write here. -->"
"""Distinguishes the model card of a run from one that somebody wrote."""

MEDIA = "model_card"
"""Subfolder of the audio files and pictures that a model card shows."""

Samples = Sequence[tuple[str, str]]
"""For each sample the stem of its files, and its text."""


def write_card(folder: Path, run: RunSummary, filename: str = CARD) -> None:
    """Write the model card, and the media that it shows, into a new folder."""
    samples, has_losses = _copy_samples(folder, run), _copy(run.output_dir / "losses.png", folder)
    build_card(run, samples, has_losses).save(folder / filename)


def card_filename(folder: Path) -> str:
    """Return the file name for the model card: README.md, unless somebody wrote that file."""
    file = folder / CARD
    return CARD if not file.is_file() or MARK in file.read_text(encoding="utf-8", errors="replace") else CARD_BESIDE


def remove_unlinked(folder: Path) -> None:
    """Remove media of earlier model cards that the present one does not show."""
    text = (folder / card_filename(folder)).read_text(encoding="utf-8")
    for file in (folder / MEDIA).glob("row-*"):
        if f"{MEDIA}/{file.name}" not in text:
            file.unlink()


def set_repo_id(folder: Path, repo_id: str) -> None:
    """Make the example of a folder's model card load the model from a repository of the Hub."""
    file = folder / card_filename(folder)
    if not file.is_file():
        return
    text, voice = file.read_text(encoding="utf-8"), f"voice = {json.dumps(repo_id)}  #"
    with new_file(file) as staged:
        staged.write_text(re.sub(r"(?m)^voice = .*?  #", lambda _: voice, text, count=1), encoding="utf-8")


def build_card(run: RunSummary, samples: Samples, has_losses: bool) -> ModelCard:
    """Build the model card of a run; `has_losses` says whether there is a picture of its losses."""
    sections = [
        f"# {run.output_dir.resolve().name}",
        MARK,
        _summary(run),
        _usage(run, samples),
        _license(run),
        _speech(run),
        _samples(samples),
        _data(run),
        _architecture(run),
        _losses(run, has_losses),
        _training(run),
        versions(),
    ]
    body = "\n\n".join(section for section in sections if section)
    return ModelCard(f"---\n{_metadata(run).to_yaml()}\n---\n\n{body}\n")


def _metadata(run: RunSummary) -> ModelCardData:
    base, base_model = run.provenance, None
    if base is not None:
        base_model = base.on_hub[0] if len(base.on_hub) == 1 else base.on_hub or None
    return ModelCardData(
        language=language_code(run.tokenizer) or (base.language if base and base.language else None),
        license=base and base.license,
        license_name=base and base.license_name,
        license_link=base and base.license_link,
        library_name="hf_vits",
        pipeline_tag="text-to-speech",
        tags=["text-to-speech", "vits", "hf_vits"],
        base_model=base_model,
        datasets=[run.dataset_name] if is_on_hub(run.dataset_name) else None,
        **_model_index(run),
    )


def _model_index(run: RunSummary) -> dict[str, Any]:
    """Return the fields of the metadata from which huggingface_hub makes the `model-index`, if there are metrics."""
    figures = run.speech_figures()
    if figures is None:
        return {}
    results = figures.eval_results(run.speech, plain_name(run.dataset_name) if run.dataset_name else "unknown")
    return {"model_name": run.output_dir.resolve().name, "eval_results": results}


def _summary(run: RunSummary) -> str:
    config, base = run.config, run.provenance
    start = "a new model" if base is None else f"`{base.name}`" if base.name else "a model without a name"
    data = f" on {called(run.dataset_name)}" if run.dataset_name else ""
    speakers = f"{config.num_speakers} speakers" if config.num_speakers > 1 else "one speaker"
    names = f" ({', '.join(map(html.escape, config.speaker_names))})" if config.speaker_names else ""
    return (
        f"A VITS text-to-speech voice: {speakers}{names}, {config.sampling_rate:,} Hz. Trained with hf_vits from "
        f"{start}{data}, {run.progress.step:,} steps. {run.chosen()}".rstrip()
    )


def _speech(run: RunSummary) -> str:
    figures = run.speech_figures()
    if figures is None:
        return ""
    base = None if run.provenance is None else "base voice"
    instruments = "; ".join(f"{name}: {instrument}" for name, instrument in run.speech.instruments.items())
    return f"""## Measured

{figures.table(base)}

With 95 % confidence intervals (bootstrap over sentences). The voice speaks {run.speech.sentences} sentences from
their texts; recordings are {run.speech.recordings} of the evaluation set. Similarity is to recordings of the speaker
that the voice was trained on. Measured by {instruments}."""


def _usage(run: RunSummary, samples: Samples) -> str:
    config = run.config
    text = json.dumps(samples[0][1] if samples else "Hello there.", ensure_ascii=False)
    folder = json.dumps(run.output_dir.resolve().name, ensure_ascii=False)
    first = json.dumps(config.speaker_names[0], ensure_ascii=False) if config.speaker_names else 0
    speaker = f", speaker_id={first}" if config.num_speakers > 1 else ""
    extra = "[phonemes]" if run.tokenizer.phonemize or run.tokenizer.is_uroman else ""
    install = f'pip install -e ".{extra}"' if extra else "pip install -e ."
    return f"""## Use

In a clone of hf_vits, `{install}`, then:

```python
import soundfile
from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer

voice = {folder}  # the folder of this model card, or its name on the Hub
speak = TextToSpeechPipeline(VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice))
speech = speak({text}{speaker})
soundfile.write("speech.wav", speech["audio"], speech["sampling_rate"])
```

The discriminator is in `discriminator/`: to train the model further, give it to hf_vits as `model_name_or_path`."""


def _license(run: RunSummary) -> str:
    base, data = run.provenance, "The recordings that it was trained on have a license of their own."
    if base is None:
        return f"## License\n\nTrained from scratch; the run does not know the license of the model. {data}"
    name = f"`{base.name}`" if base.name else "a model whose name is unknown"
    if base.on_hub == [base.name]:
        name = f"[{base.name}](https://huggingface.co/{base.name})"
    if base.license:
        terms = f"Its license is the license of this model too: **{base.license_in_words}**. {data}"
    else:
        terms = f"The license of that model is **unknown: find out before you pass this one on.** {data}"
    warning = ""
    if base.is_non_commercial:
        warning = "\n\n> **Not for commercial use:** the license of the base model forbids it."
    return f"## License\n\nMade from {name}. {terms}{warning}"


def _samples(samples: Samples) -> str:
    shown = [
        f"> {html.escape(text, quote=False)}\n\n"
        f'<audio controls src="{MEDIA}/{name}.wav"></audio>\n\n'
        f"![Mels and alignment]({MEDIA}/{name}.png)"
        for name, text in samples
    ]
    return "\n\n".join(["## Samples\n\nSentences of the evaluation set:", *shown]) if shown else ""


def _data(run: RunSummary) -> str:
    report, name = run.filter_report, run.dataset_name
    if run.is_distilled:
        return f"## Data\n\nNo recordings: speech of the base model, which said {called(name) if name else 'texts'}."
    part = ", and part of the next" if run.progress.batch else ""
    passes = f"{run.progress.epoch} complete pass{'' if run.progress.epoch == 1 else 'es'}{part}"
    lines = ["## Data", "", f"Data: {called(name)}." if name else "The name of the data is unknown.", ""]
    if report is None:
        return "\n".join([*lines, f"Read as a stream, {passes}; its clips were not counted."])
    lines += ["| | clips | hours |", "|---|---|---|", f"| trained on | {report.kept} | {report.seconds / 3600:.2f} |"]
    if report.joined is not None:
        lines += [f"| joined in an epoch to about | {report.joined} | |"]
    if run.eval_clips:
        hours = sum(clip.seconds for clip in run.eval_clips) / 3600
        lines += [f"| evaluation set | {len(run.eval_clips)} | {hours:.2f} |"]
    lines += [f"| left out: {reason} | {count} | |" for reason, count in report.dropped.most_common()]
    lines += [f"| trained on, though noted: {kind} | {count} | |" for kind, count in report.noted.most_common()]
    return "\n".join([*lines, "", f"{passes} over them."])


def _architecture(run: RunSummary) -> str:
    rows = [("decoder", run.config.decoder_config.describe())]
    rows += run.config.describe_vits2()
    rows += [(f"{kind} discriminator", one.describe()) for kind, one in run.discriminator_config.sub_discriminators]
    return "\n".join(["## Architecture", "", "| | |", "|---|---|", *(f"| {part} | {text} |" for part, text in rows)])


def _losses(run: RunSummary, has_picture: bool) -> str:
    lines = [line for line in read_history(run.output_dir) if line["step"] <= run.model_step]
    kind = "eval" if any("eval/mel" in line for line in lines) else "train"
    lines = [line for line in lines if f"{kind}/mel" in line]
    if not lines:
        return ""
    shown = [lines[0], lines[-1]] if lines[-1]["step"] > lines[0]["step"] else [lines[-1]]
    steps = " | ".join(f"step {line['step']}" for line in shown)
    rows = [
        f"| {name.split('/')[1]} | {' | '.join(f'{line[name]:.4g}' for line in shown)} |"
        for name in shown[-1]
        if name.startswith(f"{kind}/") and name in shown[0]
    ]
    stochastic = run.config.use_stochastic_duration_prediction
    duration = "nats per token" if stochastic else "squared error of the logarithm, per token"
    units = {"duration": duration, "focus": "1 is a sharp alignment"}
    units = {name: loss.description.rstrip(".") for name, loss in LOSSES.items()} | units
    terms = [name.split("/")[1] for name in shown[-1] if name.startswith(f"{kind}/")]
    legend = "; ".join(f"{name}: {units[name]}" for name in terms if name in units)
    what = "On the evaluation set" if kind == "eval" else "On the training data, means since the previous log"
    return "\n".join(
        [
            "## Losses",
            "",
            f"{what}. {legend}.",
            "",
            f"| | {steps} |",
            "|---|" + "---|" * len(shown),
            *rows,
            *(["", f"![Losses over the steps]({MEDIA}/losses.png)"] if has_picture else []),
        ]
    )


def _training(run: RunSummary) -> str:
    progress, settings, defaults = run.progress, shown_settings(run.args.to_dict()), type(run.args)().to_dict()
    settings["output_dir"] = run.output_dir.resolve().name
    defaults["mixed_precision"], settings["mixed_precision"] = "no", run.mixed_precision  # the launcher's too
    changed = {name: value for name, value in settings.items() if value != defaults[name] and name != "output_dir"}
    return f"""## Training

{progress.step:,} steps on {run.device}, with {run.num_processes} process(es), in about
{_hours(run.output_dir):.2f} hours. Steps skipped because a gradient was not finite:
{progress.skipped_steps}.{_new_modules(run)}

Settings that are not the default: {_listed(changed)}.

<details><summary>All settings, as a file for <code>--config</code></summary>

```json
{json.dumps(settings, indent=2, ensure_ascii=False)}
```

</details>"""


def _new_modules(run: RunSummary) -> str:
    """Return what the base model lacked, where that came from, and which modules were trained before the others."""
    new, completed, args = run.new_modules, run.provenance.completed if run.provenance else [], run.args
    parts = []
    if run.is_distilled:
        parts.append(
            "The decoder is new: it was trained on latents of the base model and what the base model's decoder made of "
            "them. All other parameters are the base model's, bitwise."
        )
    lacked = "The base model lacked {}, in whole or in part; these were "
    if completed:
        parts.append(f"{lacked.format(', '.join(completed))}trained on its own speech before this run.")
    if new:
        parts.append(f"{lacked.format(', '.join(new))}newly initialized.")
        if args.new_module_steps:
            parts.append(
                f"They were trained alone for the first {min(args.new_module_steps, run.progress.step):,} steps."
            )
    first = args.new_module_steps if set(new) - {"discriminator"} else 0
    if (adapted := min(args.posterior_adaptation_steps, run.progress.step - first)) > 0:
        pairs = ", and to the base model's own speech at their pitch" if args.adaptation_pairs else ""
        parts.append(f"For {adapted:,} steps the posterior encoder alone was adapted to the recordings{pairs}.")
    if (converted := min(args.conversion_steps, run.progress.step - first - args.posterior_adaptation_steps)) > 0:
        parts.append(
            f"For {converted:,} steps the decoder alone learned the base model's own speech, converted to the octave "
            "and to the spectral envelopes of the recordings."
        )
    if (last := run.model_step - first_duration_step(args)) > 0:
        parts.append(f"In the last {last:,} steps the duration predictor alone was trained, against a discriminator.")
    return f"\n\n{' '.join(parts)}" if parts else ""


def _hours(output_dir: Path) -> float:
    """Return the time that the steps of the history took, without evaluation and saving."""
    seconds, before = 0.0, 0
    for line in read_history(output_dir):
        if "seconds_per_step" in line:
            seconds, before = seconds + (line["step"] - before) * line["seconds_per_step"], line["step"]
    return seconds / 3600


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"`{name}` {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items()) or "none"


def _copy_samples(folder: Path, run: RunSummary) -> list[tuple[str, str]]:
    """
    Copy the newest speech and pictures of evaluation clips; return their names and texts.

    Recordings are left out: the owner of the data decides whether they may be passed on.
    """
    evaluated = {int(path.name.removeprefix("step-")): path for path in run.output_dir.glob("samples/step-*")}
    newest = evaluated.get(max((step for step in evaluated if step <= run.model_step), default=None))
    samples = []
    for clip in run.eval_clips if newest else ():
        name = f"row-{clip.row}"
        if len(samples) < SHOWN_CLIPS and _copy(newest / f"{name}.wav", folder):
            _copy(newest / f"{name}.png", folder)
            samples.append((name, clip.text))
    return samples


def _copy(file: Path, folder: Path) -> bool:
    """Copy a file to the media of the model card; return False if it does not exist."""
    if file.is_file():
        (folder / MEDIA).mkdir(exist_ok=True)
        shutil.copyfile(file, folder / MEDIA / file.name)
    return file.is_file()
