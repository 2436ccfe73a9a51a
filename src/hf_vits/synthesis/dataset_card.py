"""The dataset card of synthetic speech: its voice, license, texts and settings."""

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
"""The line by which a card of hf_vits is recognised."""

COMMAND = "hf-vits synthesize"


def dataset_card(
    settings: SynthesisSettings,
    pipe: TextToSpeechPipeline,
    provenance: Provenance,
    plan: SynthesisPlan,
    seconds: dict[int, float],
) -> str:
    """Return the whole document, with its metadata."""
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
        _summary(settings, pipe, provenance, seconds),
        _use(settings),
        _license(provenance),
        _settings(settings),
        _skipped(plan),
        versions(),
    ]
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(filter(None, sections)) + "\n"))


def _summary(
    settings: SynthesisSettings, pipe: TextToSpeechPipeline, provenance: Provenance, seconds: dict[int, float]
) -> str:
    return (
        f"Synthetic speech: texts of {called(settings.dataset_name)}, spoken by the voice {_linked(provenance)} with "
        f"hf_vits.\n\n| rows | hours | sampling rate |\n|---|---|---|\n"
        f"| {len(seconds):,} | {sum(seconds.values()) / 3600:.2f} | {pipe.model.config.sampling_rate:,} Hz |"
    )


def _linked(provenance: Provenance) -> str:
    name = provenance.name or "(without a name)"
    return f"[{name}](https://huggingface.co/{name})" if provenance.on_hub == [provenance.name] else f"`{name}`"


def _use(settings: SynthesisSettings) -> str:
    name = Path(settings.output_dir).expanduser().resolve().name
    folder = json.dumps(name, ensure_ascii=False)
    load = f'"{settings.hub_dataset_id}"' if settings.push_to_hub else f'"audiofolder", data_dir={folder}'
    return f"""## Use

```python
from datasets import load_dataset

data = load_dataset({load}, split="train")
```

Files are FLAC of 16 bits. `audio` is the speech, `seconds` its length; the other columns are those of the texts."""


def _license(provenance: Provenance) -> str:
    warning = ""
    if provenance.is_non_commercial:
        warning = "\n\n> **Not for commercial use:** the license of the voice forbids it."
    known = f"**{provenance.license_in_words}**" if provenance.license else "**unknown; find out before sharing this**"
    return f"## License\n\nLicense of the voice: {known}. The texts have a license of their own.{warning}"


def _settings(settings: SynthesisSettings) -> str:
    settings_json = json.dumps(_shareable(settings), indent=2, ensure_ascii=False)
    arguments = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in _shareable(settings).items())
    return f"""## How it was made

```
{COMMAND} {arguments}
```

The sound of a row depends only on the voice, its text, the seed and its number. Settings that are not the default:

```json
{settings_json}
```"""


def _shareable(settings: SynthesisSettings) -> dict:
    """Return the settings that are not the default; of paths only the names, as a card is public."""
    changed = settings.changed
    for name in {"dataset_name", "output_dir", "voice"} & changed.keys():
        path = Path(changed[name]).expanduser()
        if path.exists() or path.is_absolute():
            changed[name] = path.resolve().name
    return changed


def _skipped(plan: SynthesisPlan) -> str:
    return f"## Skipped rows and characters\n\n```\n{plan.table()}\n```" if plan.table() else ""
