"""Change a part of a model card, and leave everything else in it as it is."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index
from huggingface_hub.utils import yaml_dump

from hf_vits.hub.license import LARGEST_CARD
from hf_vits.utils.files import read_text

FRONT = re.compile(r"\A(---[ \t]*\r?\n)(.*?)(^---[ \t]*$)", re.DOTALL | re.MULTILINE)
"""The metadata of a card, between two lines of hyphens."""

INDEX = re.compile(r"^model-index:.*?(?=^[^\s-]|\Z)", re.DOTALL | re.MULTILINE)
"""The results in the metadata, up to the next key or comment."""


def read_card(file: Path) -> str:
    """Return the text of a card, empty if there is none; raise `ValueError` if it cannot be read."""
    return read_text(file, LARGEST_CARD) if file.is_file() else ""


def with_section(text: str, name: str, section: str) -> str:
    """Return a card with a section between comments that name it, in place of an earlier one or at the end."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    marked = f"{begin}\n\n{section}\n\n{end}"
    start, stop = text.find(begin), text.find(end)
    if 0 <= start < stop:
        return text[:start] + marked + text[stop + len(end) :]
    return f"{text.rstrip()}\n\n{marked}\n" if text.strip() else f"{marked}\n"


def with_results(text: str, model_name: str, results: Sequence[EvalResult], mark: str) -> str:
    """
    Return a card with results in the `model-index` of its metadata, and everything else as it is.

    Args:
        text (`str`):
            The card.
        model_name (`str`):
            Name of the model, if the card has no results yet.
        results (`Sequence[EvalResult]`):
            The results. Those in the card of the same metric and data set, and those with this mark, are replaced.
        mark (`str`):
            What results have as `made_by`.

    Raises:
        ValueError: if the metadata of the card cannot be read, or its `model-index` is not as the Hub has it.
    """
    front = FRONT.match(text)
    metadata = front[2] if front else ""
    try:
        before = yaml.safe_load(metadata) or {}
        index = _merged(before.get("model-index") or [], model_name, results, mark)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"The metadata of the model card cannot be read ({reason}); correct README.md.") from error
    rest = INDEX.sub("", metadata)
    rest = rest if not rest or rest.endswith("\n") else f"{rest}\n"
    after = f"{rest}{yaml_dump({'model-index': index})}" if index else rest
    changed = f"---\n{after}---{text[front.end() :]}" if front else f"---\n{after}---\n\n{text}"
    if (yaml.safe_load(after) or {}) != {**before, **({"model-index": index} if index else {})}:
        raise ValueError("The metadata of the model card is in an unusual form; write it as the Hub does in README.md.")
    if index and ModelCard(changed).data.eval_results is None:
        raise ValueError("The `model-index` of the model card is not as the Hub has it; correct it in README.md.")
    return changed if results else text


def _merged(index: list[dict], model_name: str, results: Sequence[EvalResult], mark: str) -> list[dict[str, Any]]:
    """Return a `model-index` with the results, and without those that they replace."""
    for result in results:
        result.metric_args = {**(result.metric_args or {}), "made_by": mark}
    replaced = {(result.dataset_type, result.dataset_name, result.metric_type) for result in results}

    def stays(one: dict, metric: dict) -> bool:
        dataset = one.get("dataset") or {}
        is_marked = isinstance(metric.get("args"), dict) and metric["args"].get("made_by") == mark
        return not is_marked and (dataset.get("type"), dataset.get("name"), metric["type"]) not in replaced

    kept = [
        {**model, "results": [one for one in _without(model.get("results") or [], stays) if one["metrics"]]}
        for model in index
    ]
    if not results:
        return [model for model in kept if model["results"]]
    added = eval_results_to_model_index(model_name, list(results))[0]["results"]
    first = kept[0] if kept else {"name": model_name, "results": []}
    return [{**first, "results": [*first["results"], *added]}, *kept[1:]]


def _without(results: list[dict], stays) -> list[dict]:
    return [{**one, "metrics": [metric for metric in one["metrics"] if stays(one, metric)]} for one in results]
