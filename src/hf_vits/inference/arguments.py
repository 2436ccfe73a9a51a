"""The arguments of a call of the model, validated once where it begins and passed down as one object; and its outputs.

Values of tensors are unknown while a graph is traced (`torch.compile`, `torch.export`, ONNX), and not checked then.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import torch
from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.inference import limits
from hf_vits.inference.spans import Spans, given_spans
from hf_vits.modules.sampling import Generators
from hf_vits.utils.formatting import refuse_unknown
from hf_vits.utils.torch_state import is_finite, is_traced, is_transformed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Choice = int | str | Sequence[int | str] | Tensor | None
"""A speaker or a language: an id, a name, or one of either per item."""

Scale = float | Sequence[float] | Tensor | None
"""One number, or one per item."""

MAX_FRAMES_PER_TOKEN = 10_000_000

MAX_FRAMES_PER_CALL = 2**18
"""All items of a batch, each padded to the longest. The flow takes about 20 kB a frame, 5 GB in all."""


Method = TypeVar("Method", bound=Callable)


def entry_point(method: Method) -> Method:
    """
    Make a public method of a model refuse unknown arguments, and record a graph only if a gradient is asked for.

    It is asked for where grad mode is on and a parameter or an argument requires a gradient, as in every module.
    Elsewhere the method runs under `torch.no_grad()`, where layers may use kernels without a backward pass.
    """
    known = []
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        is_open = parameter.kind is parameter.VAR_KEYWORD  # annotated as Unpack[a TypedDict]
        known += parameter.annotation.__args__[0].__annotations__ if is_open else [name]

    @wraps(method)
    def call(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in known:
                refuse_unknown(method.__qualname__, kwargs, known)
        with torch.set_grad_enabled(torch.is_grad_enabled() and _needs_gradients(model, [*args, *kwargs.values()])):
            return method(model, *args, **kwargs)

    return call


def _needs_gradients(model: nn.Module, arguments: Iterable) -> bool:
    """Return True if a parameter or an argument requires a gradient, and inside transforms such as `torch.func.jvp`."""
    tensors = (argument for argument in arguments if isinstance(argument, Tensor))
    if any(tensor.requires_grad for tensor in chain(model.parameters(), tensors)):
        return True
    return not is_traced() and is_transformed()


class SynthesisOptions(TypedDict, total=False):
    """Arguments of a call besides the text, the speaker and the language."""

    noise_scale: Scale
    noise_scale_duration: Scale
    speaking_rate: Scale
    token_rates: Any
    span_durations: Any
    durations: Any
    generator: Generators


@dataclass
class CallArguments:
    """
    Hold the validated arguments of one call, for each item of the batch.

    Args:
        input_ids (`Tensor` of shape `(B, T_text)`, int64), mask (`Tensor` of shape `(B, 1, T_text)`, float)
        speaker (`Tensor` of shape `(B, S, 1)`, *optional*), language (`Tensor` of shape `(B, L, 1)`, *optional*)
        noise_scale, noise_scale_duration (`Tensor` of shape `(B, 1, 1)`)
        speaking_rate (`Tensor` of shape `(B, 1, 1)`, or `(B, 1, T_text)` with a rate for each token)
        durations (`Tensor` of shape `(B, T_text)`, int64, *optional*)
        spans (`Spans`, *optional*): frames that spans of tokens have together
        generator (`torch.Generator` or one per item, *optional*)
    """

    input_ids: Tensor
    mask: Tensor
    speaker: Tensor | None
    language: Tensor | None
    noise_scale: Tensor
    noise_scale_duration: Tensor
    speaking_rate: Tensor
    durations: Tensor | None
    spans: Spans | None
    generator: Generators

    @classmethod
    def from_ids(
        cls,
        model: "PreTrainedModel",
        input_ids: Any,
        attention_mask: Any = None,
        speaker_id: Choice = None,
        language_id: Choice = None,
        **options: Unpack[SynthesisOptions],
    ) -> "CallArguments":
        """Validate the arguments of `VitsModel.forward`, which takes ids or names of speakers and languages."""
        input_ids = token_ids(input_ids, model.device)
        speaker = model.speaker_vector(speaker_id, input_ids.shape[0])
        language = model.language_vector(language_id, input_ids.shape[0])
        return cls._validated(model, input_ids, attention_mask, speaker, language, **options)

    @classmethod
    def from_vectors(
        cls,
        model: "PreTrainedModel",
        input_ids: Any,
        attention_mask: Any,
        speaker: Tensor | None,
        language: Tensor | None,
        **options: Unpack[SynthesisOptions],
    ) -> "CallArguments":
        """Validate the arguments of `VitsModel.prior`, which takes vectors of speakers and languages."""
        input_ids = token_ids(input_ids, model.device)
        check_vector("speaker", speaker, input_ids.shape[0], model.config)
        check_vector("language", language, input_ids.shape[0], model.config)
        return cls._validated(model, input_ids, attention_mask, speaker, language, **options)

    @classmethod
    def _validated(
        cls,
        model: "PreTrainedModel",
        input_ids: Tensor,
        attention_mask: Any,
        speaker: Tensor | None,
        language: Tensor | None,
        *,
        noise_scale: Scale = None,
        noise_scale_duration: Scale = None,
        speaking_rate: Scale = None,
        token_rates: Any = None,
        span_durations: Any = None,
        durations: Any = None,
        generator: Generators = None,
    ) -> "CallArguments":
        config, batch = model.config, input_ids.shape[0]
        mask = text_mask(input_ids, attention_mask, config.vocab_size, model.dtype)
        check_generator(generator, batch)
        rate = scale("speaking_rate", speaking_rate, config.speaking_rate, batch, mask.double())
        return cls(
            input_ids=input_ids,
            mask=mask,
            speaker=speaker,
            language=language,
            noise_scale=scale("noise_scale", noise_scale, config.noise_scale, batch, mask),
            noise_scale_duration=scale(
                "noise_scale_duration", noise_scale_duration, config.noise_scale_duration, batch, mask
            ),
            speaking_rate=rate if token_rates is None else rate * given_rates(token_rates, input_ids),
            durations=None if durations is None else given_durations(durations, input_ids, mask),
            spans=None if span_durations is None else given_spans(span_durations, mask),
            generator=generator,
        )


def token_ids(input_ids: Any, device: torch.device) -> Tensor:
    """input_ids, in any form that torch takes -> int64 (B, T_text) on `device`; `ValueError` for anything else."""
    if device.type == "meta" and not (isinstance(input_ids, Tensor) and input_ids.is_meta):
        raise ValueError(
            "The model's weights are not in memory: it was built on the device meta, or offloaded with `cpu_offload`, "
            "`disk_offload` or a `device_map`, which models of this size (150 MB) do not support. Load it without."
        )
    try:
        ids = torch.as_tensor(input_ids, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"`input_ids` is {type(input_ids).__name__}; it must be (B, T_text) integers.") from error
    if ids.dim() != 2 or ids.is_floating_point() or ids.dtype == torch.bool:
        if not ids.numel():
            raise ValueError("The text is empty: `input_ids` holds no token. Give at least one.")
        raise ValueError(f"`input_ids` is {tuple(ids.shape)} of {ids.dtype}; it must be (B, T_text) integers.")
    return ids.long()


def text_mask(input_ids: Tensor, attention_mask: Any, vocab_size: int, dtype: torch.dtype) -> Tensor:
    """input_ids and attention_mask (B, T_text) -> float mask (B, 1, T_text), one at tokens.

    Raises:
        ValueError: for an empty or overlong text, an id outside the vocabulary, or a mask of values other than 0 and 1.
    """
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    attention_mask = torch.as_tensor(attention_mask, device=input_ids.device)
    if attention_mask.shape != input_ids.shape:
        raise ValueError(f"`attention_mask` is {tuple(attention_mask.shape)} but `input_ids` {tuple(input_ids.shape)}.")
    mask = attention_mask.bool()
    if not is_traced():
        _check_text(input_ids, mask, vocab_size)
        if not torch.equal(mask.to(attention_mask.dtype), attention_mask):
            raise ValueError("`attention_mask` holds values other than 1, at tokens, and 0, at padding.")
    return mask.unsqueeze(1).to(dtype)


def _check_text(input_ids: Tensor, mask: Tensor, vocab_size: int) -> None:
    """Check input_ids and bool mask (B, T_text)."""
    batch, size = input_ids.shape
    empty = (~mask.any(dim=1)).nonzero().flatten().tolist()
    if batch == 0 or size == 0 or empty:
        where = f" (items {empty})" if empty and batch > 1 else ""
        raise ValueError(f"The text is empty{where}: `input_ids` holds no token. Give at least one.")
    if size > limits.MAX_TOKENS:
        raise limits.too_many_tokens(size)
    low, high = input_ids.min().item(), input_ids.max().item()
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"`input_ids` holds {low if low < 0 else high}, but the model's vocabulary has ids 0 to {vocab_size - 1}; "
            "use the tokenizer that came with it."
        )


def chosen_ids(kind: str, chosen: Choice, batch: int, config: VitsConfig) -> Tensor | None:
    """Return the ids, int64 (B,), of the speakers (or languages, as `kind` says); None for a model of only one.

    Raises:
        ValueError: if the model has several and none is given, or for an unknown one, or a wrong number of them.
    """
    count, names = getattr(config, f"num_{kind}s"), getattr(config, f"{kind}_names")
    if chosen is None:
        if count == 1:
            return None
        named = f" ({', '.join(names)})" if names else ""
        raise ValueError(
            f"This model has {count} {kind}s{named} and none was chosen; pass `{kind}_id=` 0 to {count - 1}, or a name."
        )
    if is_traced() and isinstance(chosen, Tensor):
        return chosen.long().expand(batch) if count > 1 else None
    items = _per_item(f"{kind}_id", plain(chosen), batch)
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | str):
            raise ValueError(f"`{kind}_id` holds {item!r}; a {kind} is an id (int) or a name (str).")
    known = {name: index for index, name in enumerate(names or ())} | {index: index for index in range(count)}
    refuse = config.speaker_index if kind == "speaker" else config.language_index
    ids = torch.tensor([known[item] if item in known else refuse(item) for item in items])
    return ids.expand(batch) if count > 1 else None


def check_vector(kind: str, vector: Tensor | None, batch: int, config: VitsConfig) -> None:
    """Raise `ValueError` unless `vector`, of a speaker or a language, is (B, S, 1), or None where there is only one."""
    count, size = getattr(config, f"num_{kind}s"), getattr(config, f"{kind}_embedding_size")
    needs_vector = count > 1 or (kind == "language" and size)
    if vector is None and not needs_vector:
        return
    if not isinstance(vector, Tensor) or not size or vector.shape != (batch, size, 1):
        given = tuple(vector.shape) if isinstance(vector, Tensor) else repr(vector)
        wanted = f"a vector {(batch, size, 1)}, as `{kind}_vector({kind}_id, {batch})` returns it" if size else "None"
        raise ValueError(f"`{kind}` is {given}; this model of {count} {kind}(s) takes {wanted}.")


def scale(name: str, value: Scale, default: float, batch: int, like: Tensor) -> Tensor:
    """value: one number, or one per item -> (B, 1, 1) of `like`'s dtype and device.

    Raises:
        ValueError: for a value that is no number or not within `limits.RANGES`, or a wrong number of values.
    """
    tensor = value if isinstance(value, Tensor) else None
    if tensor is not None and is_traced():
        return tensor.expand(batch).to(like.device, like.dtype).view(batch, 1, 1)
    items = _per_item(name, plain(default if value is None else value), batch)
    least, most = limits.RANGES[name]
    for item in items:
        if not isinstance(item, int | float) or isinstance(item, bool):
            raise ValueError(f"`{name}` holds {item!r}; it must be a number.")
        if not least <= item <= most:  # refuses NaN too
            raise ValueError(f"`{name}` is {item}; it must be a number from {least:g} to {most:g}.")
    needs_gradient = tensor is not None and tensor.requires_grad
    values = tensor if needs_gradient else torch.tensor(items, dtype=like.dtype)
    return values.to(like.device, like.dtype).expand(batch).view(batch, 1, 1)


def check_generator(generator: Generators, batch: int) -> None:
    """Raise `ValueError` for a list that has not one generator per item, `TypeError` for anything but generators."""
    if generator is None or isinstance(generator, torch.Generator):
        return
    if not isinstance(generator, Sequence) or not all(isinstance(item, torch.Generator) for item in generator):
        raise TypeError(f"`generator` is {generator!r}; pass a `torch.Generator`, or a list with one for each item.")
    _check_count("generator", len(generator), batch)


def given_rates(token_rates: Any, input_ids: Tensor) -> Tensor:
    """token_rates (B, T_text) -> float64 (B, 1, T_text); `ValueError` for a wrong shape or a rate out of range."""
    rates = torch.as_tensor(token_rates, device=input_ids.device).double()
    if rates.shape != input_ids.shape:
        raise ValueError(
            f"`token_rates` is {tuple(rates.shape)} but `input_ids` is {tuple(input_ids.shape)}; give one rate for "
            "every token, blanks and padding included."
        )
    least, most = limits.RANGES["speaking_rate"]
    if not is_traced() and not ((rates >= least) & (rates <= most)).all():
        raise ValueError(f"`token_rates` has a value outside of {least:g} to {most:g}; 1 is the usual rate.")
    return rates.unsqueeze(1)


def given_durations(durations: Any, input_ids: Tensor, mask: Tensor) -> Tensor:
    """durations (B, T_text) in frames, blanks included -> int64 (B, T_text), zero at padding.

    Raises:
        ValueError: for a wrong shape, negative or fractional values, or an item without any frame.
    """
    durations = torch.as_tensor(durations, device=input_ids.device).double()
    if durations.shape != input_ids.shape:
        raise ValueError(
            f"`durations` is {tuple(durations.shape)} but `input_ids` is {tuple(input_ids.shape)}; "
            "give one number of frames for every token, blanks included."
        )
    if is_traced():
        return durations.long() * mask.squeeze(1).long()
    is_valid = (durations >= 0) & (durations <= MAX_FRAMES_PER_TOKEN) & (durations == durations.round())
    if not is_valid.all():
        wrong = durations[~is_valid][0].item()
        raise ValueError(f"`durations` holds {wrong}; it must be whole numbers of frames, 0 to {MAX_FRAMES_PER_TOKEN}.")
    durations = durations.long() * mask.squeeze(1).long()
    empty = (durations.sum(dim=1) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"`durations` of item(s) {empty} sum to 0 frames; there is nothing to synthesize.")
    return durations


def given_frame_lengths(frame_lengths: Any, batch: int, frames: int) -> Tensor | None:
    """Return the lengths (B,) of given latents; raise `ValueError` unless there is one per item, 1 to `frames`."""
    if frame_lengths is None or is_traced():
        return frame_lengths
    frame_lengths = torch.as_tensor(frame_lengths)
    lengths = frame_lengths.tolist()
    if len(lengths) != batch or not all(0 < length <= frames for length in lengths):
        raise ValueError(
            f"`frame_lengths` is {lengths} for {batch} items of {frames} frames; give one for each, 1 to {frames}."
        )
    return frame_lengths


def check_frame_lengths(frame_lengths: Tensor, config: VitsConfig) -> None:
    """Raise `ValueError` if the frames of an item, int64 (B,), or of all together are more than a call may have."""
    if is_traced():
        return
    longest = frame_lengths.max().item()
    if longest > limits.MAX_FRAMES_PER_ITEM:
        raise limits.too_many_frames(longest, config)
    if len(frame_lengths) * longest > MAX_FRAMES_PER_CALL:
        raise ValueError(
            f"The {len(frame_lengths)} texts would last up to {longest:,} frames each; a call makes at most "
            f"{MAX_FRAMES_PER_CALL:,} frames of all texts, each padded to the longest. Give fewer texts at once."
        )


def check_chunk_frames(chunk_frames: int | None) -> None:
    """Raise `ValueError` unless `chunk_frames` is a whole number above 0, or None."""
    if chunk_frames is not None and (not isinstance(chunk_frames, int) or chunk_frames < 1):
        raise ValueError(
            f"`chunk_frames` is {chunk_frames!r}; a chunk has a whole number of frames, at least one frame."
        )


def check_finite(name: str, output: Tensor, is_training: bool) -> Tensor:
    """Return an output of a model; raise `NotFiniteError` if it holds NaN or infinity.

    Nothing is checked in training, which may skip such a batch, or while a graph is traced.
    """
    if not (is_training or is_traced() or is_finite(output)):
        raise limits.NotFiniteError.of(name, output.dtype)
    return output


def plain(value: Any) -> Any:
    """Return numbers, names and lists of them, in place of tensors, arrays and NumPy scalars."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _per_item(name: str, value: Any, batch: int) -> list:
    """Return one value for all items, or a list with one per item."""
    if isinstance(value, int | float | str):
        return [value]
    if not isinstance(value, list):
        raise ValueError(f"`{name}` is {value!r}; pass one value, or a list with one for each item.")
    _check_count(name, len(value), batch)
    return value


def _check_count(name: str, count: int, batch: int) -> None:
    if count != batch:
        raise ValueError(f"`{name}` has {count} values for a batch of {batch}; pass one, or one for each item.")
