"""Timestamps of a text in seconds: of the model's output, and of sentences that are spoken one after another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from hf_vits.configuration_vits import VitsConfig
from hf_vits.timestamps.tokens import BLANK, END, SentenceTokens, Timed, time_units
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.formatting import nearest, quoted

UNITS = ("sentence", "word", "character", "phoneme")
"""What can have a timestamp."""

Timestamp = dict[str, Any]
"""`{"text": str, "start": float, "end": float}`, in seconds."""

Timestamps = list[Timestamp] | dict[str, list[Timestamp]]
"""Those of one unit, or lists of them by unit."""


def check_units(wanted: Any) -> str | tuple[str, ...] | None:
    """
    Return a value of `return_timestamps` as one unit, a tuple of units, or None.

    Raises:
        ValueError: for a unit that does not exist.
    """
    if wanted is None or wanted is False:
        return None
    if wanted is True:
        return UNITS
    for unit in [wanted] if isinstance(wanted, str) or not isinstance(wanted, Iterable) else wanted:
        if unit not in UNITS:
            raise ValueError(
                f"`return_timestamps` has {quoted(unit)}{nearest(str(unit), UNITS) or '.'} Give one of "
                f"{', '.join(map(repr, UNITS))}, a list of these, or True for all."
            )
    return wanted if isinstance(wanted, str) else tuple(wanted)


def sentence_tokens(
    tokenizer: VitsTokenizer, text: str, input_ids: Sequence[int], offsets: Sequence[Sequence[int]]
) -> SentenceTokens:
    """
    Return the symbols and places of the tokens of a text.

    Args:
        tokenizer ([`VitsTokenizer`]):
            The one that made the ids.
        text (`str`):
            What was tokenized.
        input_ids, offsets (`list`):
            Ids and offsets of the text, without padding.
    """
    ids, spans = list(input_ids), [tuple(span) for span in offsets]
    bos, eos = (str(token) if token else END for token in (tokenizer.bos_token, tokenizer.eos_token))
    symbols: list[str | None] = [tokenizer.decoder[index] for index in ids]
    first, last = symbols[:1] == [bos], len(ids) - (symbols[-1:] == [eos])
    symbols[:first], symbols[last:] = [END] * first, [END] * (len(ids) - last)
    if tokenizer.add_blank:  # whose id may be that of a letter
        first += ids[first] != tokenizer.blank_id  # a truncated text may begin with a token
        symbols[first:last:2] = [BLANK] * len(symbols[first:last:2])
    return SentenceTokens(text, symbols, spans)


class SpeechAudio(Protocol):
    """The waveform of a sentence with pauses in it."""

    marks: Sequence[tuple[str, int]]
    """Names, and samples of the speech."""

    def moved(self, start: int, end: int) -> tuple[int, int]:
        """Return the samples of the speech at which two samples of the model's waveform are."""


class Timeline:
    """
    The timestamps of sentences that are spoken one after another.

    Args:
        wanted (`str` or `tuple[str, ...]`):
            A unit, or several, as `check_units` returns them.
        config ([`VitsConfig`]):
            The model's, for hop length and sampling rate.
    """

    def __init__(self, wanted: str | tuple[str, ...], config: VitsConfig):
        self.wanted, self.units = wanted, (wanted,) if isinstance(wanted, str) else wanted
        self.hop_length, self.sampling_rate = config.hop_length, config.sampling_rate
        self.samples, self._taken = 0, 0  # added, and returned
        self._left: dict[str, list[Timed]] = {unit: [] for unit in self.units}
        self._marks: list[tuple[str, int]] = []

    def pause(self, samples: int) -> None:
        """Add silence."""
        self.samples += samples

    def sentence(
        self, sentences: Sequence[SentenceTokens], durations: Sequence[int], audio: "SpeechAudio | None" = None
    ) -> None:
        """
        Add a sentence, with those beside it that are not spoken.

        Args:
            sentences (`list[SentenceTokens]`):
                One that has tokens, and others without.
            durations (`list[int]`):
                Frames of its tokens.
            audio (`SpeechAudio`, *optional*):
                The sentence with pauses in it, and its marks.
        """
        length = self.hop_length * sum(durations)
        moved = audio.moved if audio else lambda start, end: (start, end)
        begun = self.samples
        for sentence in sentences:
            frames = durations if sentence.symbols else ()
            for unit in self.units:
                for text, start, end in time_units(unit, sentence, frames, self.hop_length):
                    times = moved(start, end) if frames else (start, end)
                    if unit == "sentence" and frames:
                        times = moved(0, 0)[0], moved(length, length)[0]
                    self._left[unit].append((text, self.samples + times[0], self.samples + times[1]))
            if frames:
                self.samples += moved(length, length)[0]
        if audio:
            self._marks += [(name, begun + place) for name, place in audio.marks]

    def take(self, samples: int | None = None) -> Timestamps:
        """Return the timestamps that begin in the next samples, all that are left by default; each is returned once."""
        self._taken = self.samples if samples is None else self._taken + samples
        taken = {}
        for unit, left in self._left.items():
            count = self._count(start for _, start, _ in left)
            taken[unit] = [self._in_seconds(*timed) for timed in left[:count]]
            self._left[unit] = left[count:]
        return taken[self.wanted] if isinstance(self.wanted, str) else taken

    def take_marks(self) -> list[dict[str, Any]]:
        """Return the marks up to where the last call of `take` ended, as `{"name": str, "time": seconds}`."""
        count = self._count(place for _, place in self._marks)
        taken, self._marks = self._marks[:count], self._marks[count:]
        return [{"name": name, "time": place / self.sampling_rate} for name, place in taken]

    def _count(self, starts: Iterable[int]) -> int:
        """Return how many of these have begun; what has no sound may be at the very end."""
        return sum(1 for start in starts if start < self._taken or self._taken >= self.samples)

    def _in_seconds(self, text: str, start: int, end: int) -> Timestamp:
        return {"text": text, "start": start / self.sampling_rate, "end": end / self.sampling_rate}


def output_timestamps(
    tokenizer: VitsTokenizer,
    text: str | Sequence[str],
    encoding: Mapping[str, Any],
    durations: Any,
    config: VitsConfig,
    unit: str | Sequence[str] | bool = "word",
) -> Timestamps | list[Timestamps]:
    """
    Return the timestamps of a call of the model.

    Args:
        tokenizer ([`VitsTokenizer`]):
            The one that made the encoding.
        text (`str` or `list[str]`):
            A text, or one for each item of the batch.
        encoding (`Mapping`):
            What the tokenizer returned for it with `return_offsets_mapping=True`.
        durations (`Tensor` of shape `(B, T_text)`):
            Those of the model's output.
        config ([`VitsConfig`]):
            The model's.
        unit (`str`, `list[str]` or `True`, *optional*, defaults to `"word"`):
            `"sentence"` (here the whole text), `"word"`, `"character"` or `"phoneme"`; several, or `True` for all.

    Returns:
        A list of `{"text": str, "start": float, "end": float}` in seconds, for several units a dictionary of lists by
        unit; for a list of texts, a list of these.

    Raises:
        ValueError: for an unknown unit, or if the encoding has no offsets.

    Example:

    ```python
    >>> from hf_vits import VitsConfig, VitsModel, VitsTokenizer
    >>> from hf_vits.timestamps import output_timestamps

    >>> tokenizer = VitsTokenizer.from_vocab({"_": 0, "a": 1, "b": 2, " ": 3}, phonemize=False)
    >>> model = VitsModel(VitsConfig(vocab_size=4)).eval()
    >>> encoding = tokenizer("A bab", return_tensors="pt", return_offsets_mapping=True)
    >>> out = model(encoding["input_ids"], encoding["attention_mask"])
    >>> [word["text"] for word in output_timestamps(tokenizer, "A bab", encoding, out.durations, model.config)]
    ['A', 'bab']
    ```
    """
    wanted = check_units(unit)
    if "offset_mapping" not in encoding or wanted is None:
        raise ValueError(
            "Timestamps need a unit, and an encoding with offsets: call the tokenizer with "
            "`return_offsets_mapping=True`."
        )
    texts = [text] if isinstance(text, str) else list(text)
    parts = [_plain(encoding[name]) for name in ("input_ids", "attention_mask", "offset_mapping")]
    if isinstance(parts[0][0], int):  # a text without a batch axis
        parts = [[part] for part in parts]
    found = []
    for sentence, ids, mask, offsets, frames in zip(texts, *parts, _plain(durations), strict=True):
        kept = [i for i, real in enumerate(mask) if real]
        tokens = sentence_tokens(tokenizer, sentence, [ids[i] for i in kept], [offsets[i] for i in kept])
        timeline = Timeline(wanted, config)
        timeline.sentence([tokens], [frames[i] for i in kept])
        found.append(timeline.take())
    return found[0] if isinstance(text, str) else found


def _plain(values: Any) -> list:
    return values.tolist() if hasattr(values, "tolist") else values
