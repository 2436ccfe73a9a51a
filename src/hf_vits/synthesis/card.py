"""The card of a data set that was spoken: by whom, under what licence, from which texts and how."""

import json
import shlex
from pathlib import Path

from huggingface_hub import DatasetCard, DatasetCardData

from hf_vits.hub.cards import called, is_on_hub, language_code, versions
from hf_vits.hub.license import Provenance
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.synthesis.config import SynthesisSettings
from hf_vits.synthesis.plan import SynthesisPlan

MARK = "<!-- Written by hf_vits; the next run replaces it. Take this line out to keep what you write here. -->"
"""Tells a card that was written here from one that somebody wrote."""

SCRIPT = "accelerate launch examples/synthesize_dataset.py"


def card(
    settings: SynthesisSettings,
    pipe: TextToSpeechPipeline,
    origin: Provenance,
    found: SynthesisPlan,
    seconds: dict[int, float],
) -> str:
    """The whole document, with its metadata."""
    language = language_code(pipe.tokenizer)
    data = DatasetCardData(
        language=language,
        task_categories=["text-to-speech"],
        tags=["audio", "synthetic", "vits", "hf_vits"],
        source_datasets=[settings.dataset_name] if is_on_hub(settings.dataset_name) else None,
    )
    sections = [
        f"# {Path(settings.output_dir).expanduser().resolve().name}",
        MARK,
        _summary(settings, pipe, origin, seconds),
        _use(settings),
        _licence(origin),
        _making(settings),
        _left_out(found),
        versions(),
    ]
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(filter(None, sections)) + "\n"))


def _summary(
    settings: SynthesisSettings, pipe: TextToSpeechPipeline, origin: Provenance, seconds: dict[int, float]
) -> str:
    return (
        f"Synthetic speech: texts of {called(settings.dataset_name)}, spoken by the voice {_linked(origin)} with "
        f"hf_vits.\n\n| rows | hours | sampling rate |\n|---|---|---|\n"
        f"| {len(seconds):,} | {sum(seconds.values()) / 3600:.2f} | {pipe.model.config.sampling_rate:,} Hz |"
    )


def _linked(origin: Provenance) -> str:
    name = origin.name or "(without a name)"
    return f"[{name}](https://huggingface.co/{name})" if origin.on_hub == [origin.name] else f"`{name}`"


def _use(settings: SynthesisSettings) -> str:
    name = settings.push_to_hub or Path(settings.output_dir).expanduser().resolve().name
    load = f'load_dataset("{name}"' if settings.push_to_hub else f'load_dataset("audiofolder", data_dir="{name}"'
    return f"""## Use

```python
from datasets import load_dataset

data = {load}, split="train")
```

Files are FLAC of 16 bits. `audio` is the speech, `seconds` its length; the other columns are those of the texts."""


def _licence(origin: Provenance) -> str:
    warning = ""
    if origin.is_non_commercial:
        warning = "\n\n> **Not for commercial use:** the licence of the voice forbids it."
    known = f"**{origin.license_in_words}**" if origin.license else "**unknown: find out before you pass this on**"
    return f"## Licence\n\nLicence of the voice: {known}. The texts have a licence of their own.{warning}"


def _making(settings: SynthesisSettings) -> str:
    settings_json = json.dumps(_without_places(settings), indent=2, ensure_ascii=False)
    arguments = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in _without_places(settings).items())
    return f"""## How it was made

```
{SCRIPT} {arguments}
```

The sound of a row depends on the voice, its text, the seed and its number alone. Settings that are not the default:

```json
{settings_json}
```"""


def _without_places(settings: SynthesisSettings) -> dict:
    """Settings that were changed; files and folders by their names, as where they lie is nobody's business."""
    changed = settings.changed
    for name in {"dataset_name", "output_dir", "voice"} & changed.keys():
        path = Path(changed[name]).expanduser()
        if path.exists() or path.is_absolute():
            changed[name] = path.resolve().name
    return changed


def _left_out(found: SynthesisPlan) -> str:
    return f"## Left out\n\n```\n{found.table()}\n```" if found.table() else ""
