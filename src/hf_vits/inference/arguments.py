"""What a caller may say about one call of the model, checked and brought to one value per item of the batch.

While a graph is traced (`torch.compile`, `torch.export`, ONNX) numbers in tensors are not known, and not checked.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.sampling import Generators
from hf_vits.utils.torch_state import is_traced

Choice = int | str | Sequence[int | str] | Tensor | None
Scale = float | Sequence[float] | Tensor | None

RANGES = {"speaking_rate": (0.1, 10.0), "noise_scale": (0.0, 10.0), "noise_scale_duration": (0.0, 10.0)}
"""Least and largest value of each control; outside of them nothing is speech, and its length may have no end."""

MAX_FRAMES = 10_000_000
"""Most frames that a single token may be given."""

MAX_TOKENS = 5_000
"""Longest text of one call, blanks included; attention takes about 1 GB for it, and grows with the square."""


def token_ids(input_ids, device: torch.device) -> Tensor:
    """input_ids, in any form that torch takes -> int64 (B, T_text) on `device`; `ValueError` for anything else."""
    if device.type == "meta" and not (isinstance(input_ids, Tensor) and input_ids.is_meta):
        raise ValueError(
            "The model's weights are not in memory: it was built on the device meta, or offloaded with `cpu_offload`, "
            "`disk_offload` or a `device_map`, which voices, being small (150 MB), do not support. Load it without."
        )
    try:
        ids = torch.as_tensor(input_ids, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"`input_ids` is {type(input_ids).__name__}; it must be (B, T_text) integers.") from error
    if ids.dim() != 2 or ids.is_floating_point() or ids.dtype == torch.bool:
        if not ids.numel():
            raise ValueError("The text is empty: `input_ids` holds no token. Give one at least.")
        raise ValueError(f"`input_ids` is {tuple(ids.shape)} of {ids.dtype}; it must be (B, T_text) integers.")
    return ids.long()


def text_mask(input_ids: Tensor, attention_mask: Tensor | None, vocab_size: int, dtype: torch.dtype) -> Tensor:
    """input_ids and attention_mask (B, T_text) -> float mask (B, 1, T_text), one at tokens.

    Raises:
        ValueError: if there is no text, too much of it, an id outside the vocabulary, or a mask of other numbers than 0
            and 1.
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
            raise ValueError("`attention_mask` holds other numbers than 1, at tokens, and 0, at padding.")
    return mask.unsqueeze(1).to(dtype)


def _check_text(input_ids: Tensor, mask: Tensor, vocab_size: int) -> None:
    """input_ids and bool mask (B, T_text) -> the errors of `text_mask`."""
    batch, size = input_ids.shape
    empty = (~mask.any(dim=1)).nonzero().flatten().tolist()
    if batch == 0 or size == 0 or empty:
        where = f" (items {empty})" if empty and batch > 1 else ""
        raise ValueError(f"The text is empty{where}: `input_ids` holds no token. Give one at least.")
    if size > MAX_TOKENS:
        raise ValueError(
            f"The text has {size} tokens; one call takes at most {MAX_TOKENS}. Speak it sentence by sentence, "
            "for example with `hf_vits.text.sentence_splitter.split`."
        )
    low, high = input_ids.min().item(), input_ids.max().item()
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"`input_ids` holds {low if low < 0 else high}, but the voice knows ids 0 to {vocab_size - 1}; "
            "use the tokenizer that came with it."
        )


def chosen_ids(kind: str, chosen: Choice, batch: int, config: VitsConfig) -> Tensor | None:
    """chosen: an id, a name, one of either per item, or a tensor () or (B,) -> int64 (B,); None if there is only one.

    Raises:
        ValueError: if a model of several speakers (or languages, as `kind` says) is given none, an unknown one, or
            another number than the batch has.
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
    chosen = plain(chosen)
    items = _values(f"{kind}_id", chosen, batch)
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | str):
            raise ValueError(f"`{kind}_id` holds {item!r}; a {kind} is an id (int) or a name (str).")
    index = config.speaker_index if kind == "speaker" else config.language_index
    ids = torch.tensor([index(item) for item in items])
    return ids.expand(batch) if count > 1 else None


def check_speaker_vector(speaker: Tensor | None, batch: int, config: VitsConfig) -> None:
    """Raises `ValueError` unless speaker is (B, S, 1), or None for a model of one speaker."""
    if speaker is not None or config.num_speakers > 1:
        _check_vector("speaker", speaker, batch, config)


def check_language_vector(language: Tensor | None, batch: int, config: VitsConfig) -> None:
    """Raises `ValueError` unless language is (B, L, 1), or None for a model that knows no languages."""
    if language is not None or config.language_embedding_size:
        _check_vector("language", language, batch, config)


def _check_vector(kind: str, vector: Tensor | None, batch: int, config: VitsConfig) -> None:
    count, size = getattr(config, f"num_{kind}s"), getattr(config, f"{kind}_embedding_size")
    if not isinstance(vector, Tensor) or not size or vector.shape != (batch, size, 1):
        given = tuple(vector.shape) if isinstance(vector, Tensor) else repr(vector)
        wanted = f"a vector {(batch, size, 1)}, as `{kind}_vector({kind}_id, {batch})` gives it" if size else "None"
        raise ValueError(f"`{kind}` is {given}; this model of {count} {kind}(s) takes {wanted}.")


def scale(name: str, value: Scale, default: float, batch: int, like: Tensor) -> Tensor:
    """value: one number, or one per item -> (B, 1, 1) of `like`'s dtype and device.

    Raises:
        ValueError: for what is no number or not in its range of `RANGES`, or a wrong count.
    """
    given = value if isinstance(value, Tensor) else None
    if given is not None and is_traced():
        return given.expand(batch).to(like.device, like.dtype).view(batch, 1, 1)
    value = plain(default if value is None else value)
    items = _values(name, value, batch)
    least, most = RANGES[name]
    for item in items:
        if not isinstance(item, int | float) or isinstance(item, bool):
            raise ValueError(f"`{name}` holds {item!r}; it must be a number.")
        if not least <= item <= most:  # which NaN is not either
            raise ValueError(f"`{name}` is {item}; it must be a number from {least:g} to {most:g}.")
    made = given if given is not None and given.requires_grad else torch.tensor(items, dtype=like.dtype)
    return made.to(like.device, like.dtype).expand(batch).view(batch, 1, 1)


def check_generator(generator: Generators, batch: int) -> None:
    """Raises `ValueError` if a list of generators has not one for each item, `TypeError` for anything else."""
    if generator is None or isinstance(generator, torch.Generator):
        return
    if not isinstance(generator, Sequence) or not all(isinstance(item, torch.Generator) for item in generator):
        raise TypeError(f"`generator` is {generator!r}; pass a `torch.Generator`, or a list with one for each item.")
    _check_count("generator", len(generator), batch)


def given_durations(durations: Tensor, input_ids: Tensor, mask: Tensor) -> Tensor:
    """durations (B, T_text) in frames, blanks included -> int64 (B, T_text), zero at padding.

    Raises:
        ValueError: for a wrong shape, negative or fractional values, or an item that lasts no frame at all.
    """
    durations = torch.as_tensor(durations, device=input_ids.device).double()
    if durations.shape != input_ids.shape:
        raise ValueError(
            f"`durations` is {tuple(durations.shape)} but `input_ids` is {tuple(input_ids.shape)}; "
            "give one number of frames for every token, blanks included."
        )
    if is_traced():
        return durations.long() * mask.squeeze(1).long()
    whole = (durations >= 0) & (durations <= MAX_FRAMES) & (durations == durations.round())
    if not whole.all():
        wrong = durations[~whole][0].item()
        raise ValueError(f"`durations` holds {wrong}; it must be whole numbers of frames, 0 to {MAX_FRAMES}.")
    durations = durations.long() * mask.squeeze(1).long()
    silent = (durations.sum(dim=1) == 0).nonzero().flatten().tolist()
    if silent:
        raise ValueError(f"`durations` of item(s) {silent} sum to 0 frames; there is nothing to speak.")
    return durations


def plain(value):
    """A number, name or list of them, in place of the tensor, array or NumPy scalar that holds it."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _values(name: str, value, batch: int) -> list:
    """One value for all items, or a list of as many as the batch has."""
    if isinstance(value, int | float | str):
        return [value]
    if not isinstance(value, list):
        raise ValueError(f"`{name}` is {value!r}; pass one value, or a list with one for each item.")
    _check_count(name, len(value), batch)
    return value


def _check_count(name: str, count: int, batch: int) -> None:
    if count != batch:
        raise ValueError(f"`{name}` has {count} values for a batch of {batch}; pass one, or one for each item.")
