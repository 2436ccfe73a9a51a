"""Model and tokenizer of a voice, from whichever of them a caller has."""

import os
from typing import Any

from transformers import PreTrainedModel

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modeling_vits import VitsModel
from hf_vits.quiet import no_progress_bar
from hf_vits.resolve import resolve_voice
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.weights import match_state_dict


def model_of(model: Any) -> VitsModel:
    """
    Return the [`VitsModel`] of a voice.

    Args:
        model ([`VitsModel`], `transformers.VitsModel`, `str` or `PathLike`):
            A model is taken as it is; that of transformers lends its weights. A name is one of [`resolve_voice`].

    Raises:
        TypeError: for anything else.
        OSError, ValueError: as `resolve_voice` and `VitsModel.from_pretrained`.
    """
    if isinstance(model, VitsModel):
        return model
    if isinstance(model, str | os.PathLike):
        with no_progress_bar():
            return VitsModel.from_pretrained(resolve_voice(model))
    if isinstance(model, PreTrainedModel) and model.config.model_type == VitsConfig.model_type:
        return _of_stock(model)
    raise TypeError(
        f"`model` is {type(model).__name__}; give a `VitsModel`, or the folder or name of a voice, such as 'default'."
    )


def tokenizer_of(tokenizer: Any, model: VitsModel) -> Any:
    """
    Return the tokenizer of a voice: the one that is given, that of a name, or that of where the model came from.

    Raises:
        ValueError: if none is given and the model came from nowhere, or from where there is none.
    """
    if isinstance(tokenizer, str | os.PathLike):
        return VitsTokenizer.from_pretrained(resolve_voice(tokenizer, "tokenizer_config.json"))
    if tokenizer is not None:
        return tokenizer
    source = str(model.name_or_path or "")
    if not source:
        raise ValueError(
            "A pipeline needs the tokenizer of its voice, and this model was not loaded from a folder that could have "
            "it; pass `tokenizer=VitsTokenizer.from_pretrained(voice)`."
        )
    try:
        return VitsTokenizer.from_pretrained(source)
    except OSError as error:
        raise ValueError(
            f"There is no tokenizer in {source}, where the model came from; pass "
            "`tokenizer=VitsTokenizer.from_pretrained(voice)`."
        ) from error


def _of_stock(model: PreTrainedModel) -> VitsModel:
    """Return our model with the weights of transformers' own, on its device and in its type."""
    config = VitsConfig.from_dict(model.config.to_dict())
    made = VitsModel(config).to(device=model.device, dtype=model.dtype)
    shapes = {key: tensor.shape for key, tensor in made.state_dict().items()}
    made.load_state_dict(match_state_dict(model.state_dict(), shapes, "the model of transformers"))
    made.config.name_or_path = made.name_or_path = model.name_or_path
    return made.train(model.training)
