"""Merge a voice with one that was fine-tuned from it: interpolate their weights, with a weight for each module."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from hf_vits.conversion.discriminators import generator_tensors
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.hub.cards import card
from hf_vits.hub.license import CARD, Provenance, inherit_license, joint_origin, origin_of, trained_from
from hf_vits.hub.state_dict import TRAINING_ONLY
from hf_vits.modeling_vits import VitsModel
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.atomic_folder import destination, new_folder, refuse_existing, refuse_losing
from hf_vits.utils.formatting import quoted
from hf_vits.utils.logging import no_progress_bar
from hf_vits.utils.parameter_names import numbers_by_name

logger = logging.getLogger(__name__)

TUNED = 1.0
"""Weight of the tuned voice in modules that are not named."""

MAY_DIFFER = (
    *("speaking_rate", "noise_scale", "noise_scale_duration", "speaker_names", "pad_token_id"),
    *("inference_only", "model_type", "architectures", "transformers_version", "dtype", "torch_dtype", "_name_or_path"),
)
"""Fields of a configuration that do not decide what the weights mean."""


def merge_voices(
    base: str | Path,
    tuned: str | Path,
    output: str | Path,
    weights: float | Mapping[str, float] = 0.5,
    overwrite: bool = False,
) -> Path:
    """
    Interpolate the weights of two voices, and save the result as a voice: (1 - weight) · base + weight · tuned.

    A voice that lost words in fine-tuning may regain them on the way to its base, and keep the sound of the speaker
    (Wortsman et al. 2022, for classifiers). Modules that only training uses are those of the tuned voice if the base
    lacks them; tokenizer, speaking rate and other defaults are the tuned voice's too. Weights of two types are saved in
    the one that holds both, so that a base in half precision is no obstacle.

    Args:
        base, tuned (`str` or `Path`):
            The voices, by any name that [`resolve_voice`] takes; the second one was trained from the first.
        output (`str` or `Path`):
            The folder to create.
        weights (`float` or `Mapping[str, float]`, *optional*, defaults to 0.5):
            The weight of the tuned voice, 0 to 1, or weights by the start of parameters' names, as
            `{"decoder": 0.8, "flow": 0.5}`; the longest name counts, and what is not named is the tuned voice's. With 0
            weights are bitwise those of the base, with 1 those of the tuned voice.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace a folder that is not empty.

    Raises:
        ValueError: for a weight out of range, a name that begins no parameter's, or voices whose configurations,
            or vocabularies differ, says which; or if the base was trained from the other voice.
        FileExistsError: if `output` is not empty and `overwrite` is not set.
        FileNotFoundError: if there is no such voice.
    """
    by_start, default = _checked_weights(weights)
    directory, paths = destination(output), [resolve_voice(base), resolve_voice(tuned)]
    for path in paths:
        refuse_losing(directory, path)
    refuse_existing(directory, overwrite)
    origins = [inherit_license(origin_of(path)) for path in paths]
    _check_order(paths, origins)
    first, model = (VitsModel.from_pretrained(path, state_dict=generator_tensors(path)) for path in paths)
    wider = torch.promote_types(first.dtype, model.dtype)
    first, model = first.to(wider), model.to(wider)
    tokenizers = [VitsTokenizer.from_pretrained(path) for path in paths]
    _check_match(first, model, *tokenizers)
    if model.config.inference_only and not first.config.inference_only:
        logger.warning(
            f"The base has what training needs, and {paths[1]}, which was trained from it, lacks it: is the order "
            "right? The base comes first."
        )
    by_name = numbers_by_name(list(model.state_dict()), by_start, default, "weights")
    _interpolate(first, model, by_name)
    names = [f"`{origin.name}`" if origin.name else "a voice without a name" for origin in origins]
    made_of = f"Weights of {names[0]} and {names[1]}, which was trained from it, were interpolated."
    notes = [made_of, *_notes(by_start, default)]
    with new_folder(directory, overwrite) as staged:
        with no_progress_bar():
            model.save_pretrained(staged)
        tokenizers[1].save_pretrained(staged)
        card(directory.name, joint_origin(*origins), tokenizers[1], notes, title="Merging", relation="merge").save(
            staged / CARD
        )
    return directory


def _check_order(paths: Sequence[str], origins: Sequence[Provenance]) -> None:
    """Raise `ValueError` if the card of the base says that it was trained from the other voice."""
    base, tuned = origins
    parents = {*trained_from(paths[0]), *(name for name in base.on_hub if name != base.name)}
    if tuned.name and tuned.name in parents and base.name not in trained_from(paths[1]):
        raise ValueError(
            f"The voice given as base, {base.name}, was trained from {tuned.name}, says its card: give them the other "
            f"way round, {tuned.name} as base and {base.name} as the tuned voice."
        )


def _checked_weights(weights: float | Mapping[str, float]) -> tuple[dict[str, float], float]:
    """Return the weights by the start of names, and that of other parameters."""
    by_start = dict(weights) if isinstance(weights, Mapping) else {"": weights}
    for name, weight in by_start.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 <= weight <= 1:
            of = f" of {name!r}" if name else ""
            raise ValueError(f"The weight{of} is {quoted(weight)}; it must be a number from 0 (base) to 1 (tuned).")
    default = by_start.pop("", TUNED)
    return by_start, float(default)


def _check_match(base: VitsModel, tuned: VitsModel, base_tokenizer: VitsTokenizer, tokenizer: VitsTokenizer) -> None:
    """Raise `ValueError` unless a number in the weights of one voice means the same in the other's."""
    one, other = base.config.to_dict(), tuned.config.to_dict()
    for name in sorted((one.keys() | other.keys()) - set(MAY_DIFFER)):
        if one.get(name) != other.get(name):
            raise ValueError(
                f"The voices cannot be merged: `{name}` is {quoted(one.get(name))} in the base's configuration and "
                f"{quoted(other.get(name))} in the other's. Give a voice and one that was trained from it."
            )
    first, second = base_tokenizer.get_vocab(), tokenizer.get_vocab()
    for token in sorted(first.keys() | second.keys()):
        if first.get(token) != second.get(token):
            raise ValueError(
                f"The voices cannot be merged: the token {token!r} has the id {first.get(token)} in the base and "
                f"{second.get(token)} in the other. Give a voice and one that was trained from it."
            )


@torch.no_grad()
def _interpolate(base: VitsModel, tuned: VitsModel, by_name: Mapping[str, float]) -> None:
    """Replace the tensors of the tuned voice; those that the base lacks stay."""
    tensors = base.state_dict()
    for name, tensor in tuned.state_dict().items():
        if name not in tensors:
            assert name.startswith(TRAINING_ONLY), name  # the configurations are equal
        elif tensor.is_floating_point():  # lerp is exact at both ends
            tensor.copy_(torch.lerp(tensors[name], tensor, by_name[name]))


def _notes(by_start: Mapping[str, float], default: float) -> list[str]:
    """Return a note on the weight of each named module, and of the others."""
    rows = (*by_start.items(), ("all other modules" if by_start else "all modules", default))
    return [f"Weight of the tuned voice in {name}: {weight:g}." for name, weight in rows]
