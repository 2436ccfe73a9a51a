"""The model and the tokenizer of a pipeline, from what a caller gives for them."""

import os
from typing import Any

from transformers import PreTrainedModel

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.hub.state_dict import match_state_dict
from hf_vits.modeling_vits import VitsModel
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.precision import decoder_dtype


def resolve_model(model: Any, dtype: Any = None) -> VitsModel:
    """Return a model as it is, load it by name in a dtype, or copy the weights of transformers' model; `TypeError` for
    others, `ValueError` for a model whose decoder has another dtype."""
    if isinstance(model, VitsModel):
        return _of_dtype(model, dtype)
    if isinstance(model, str | os.PathLike):
        return VitsModel.from_pretrained(resolve_voice(model), **({} if dtype is None else {"dtype": dtype}))
    if isinstance(model, PreTrainedModel) and model.config.model_type == VitsConfig.model_type:
        return _of_dtype(_from_transformers(model), dtype)
    raise TypeError(
        f"`model` is {type(model).__name__}; give a `VitsModel`, or the folder or name of a voice, such as 'default'."
    )


def _of_dtype(model: VitsModel, dtype: Any) -> VitsModel:
    """Return a model if it computes in a dtype, or none is asked for; it is the caller's, and not converted."""
    wanted = str(dtype or "auto").removeprefix("torch.")  # transformers' `pipeline` passes "auto"
    if wanted != "auto" and wanted != (own := decoder_dtype(model)):
        raise ValueError(
            f"`dtype` is {wanted}, and the decoder of the model that was given is {own}. Load the model in that dtype, "
            "as `VitsModel.from_pretrained(voice, dtype=…)`, or give the folder or name of the voice in place of it."
        )
    return model


def _from_transformers(model: PreTrainedModel) -> VitsModel:
    """Return our model with the weights of transformers' model, on its device and in its dtype."""
    copied = VitsModel(VitsConfig.from_dict(model.config.to_dict())).to(device=model.device, dtype=model.dtype)
    shapes = {key: tensor.shape for key, tensor in copied.state_dict().items()}
    copied.load_state_dict(match_state_dict(model.state_dict(), shapes, "the model of transformers"))
    copied.config.name_or_path = copied.name_or_path = model.name_or_path
    return copied.train(model.training)


def resolve_tokenizer(tokenizer: Any, model: VitsModel) -> Any:
    """Return a tokenizer as it is, or load it by name, by default from where the model was loaded; `ValueError` if
    there is none."""
    if isinstance(tokenizer, str | os.PathLike):
        return VitsTokenizer.from_pretrained(resolve_voice(tokenizer, "tokenizer_config.json"))
    if tokenizer is not None:
        return tokenizer
    source = str(model.name_or_path or "")
    if not source:
        raise ValueError(
            "A pipeline needs a tokenizer, and this model was not loaded from a folder that could have one; pass "
            "`tokenizer=VitsTokenizer.from_pretrained(voice)`."
        )
    try:
        return VitsTokenizer.from_pretrained(source)
    except OSError as error:
        raise ValueError(
            f"There is no tokenizer in {source}, from where the model was loaded; pass "
            "`tokenizer=VitsTokenizer.from_pretrained(voice)`."
        ) from error
