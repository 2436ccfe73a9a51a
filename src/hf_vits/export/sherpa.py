"""Target `sherpa`: `model.onnx` with the metadata that sherpa-onnx reads, and `tokens.txt`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from hf_vits.export import Voice, target

_SHOWN = 12
"""Characters that a note lists with their tokens; of more, it lists the characters alone."""

LAYOUT_OF_PIPER, LAYOUT_OF_COQUI = "piper", "coqui"
"""Values of `comment` with which it passes the scales in one input; only the first adds BOS and EOS to phonemes."""

_UNWRITTEN = "\t\n\r\v\f"
"""White space that ends a token in `tokens.txt`; other white space, such as U+00A0 and U+3000, can be a token."""


@target("sherpa", "model.onnx and tokens.txt, for sherpa-onnx", library="sherpa-onnx")
def write(voice: Voice, folder: Path) -> Iterator[str]:
    """Write the files; yield notes."""
    from hf_vits.export.onnx_graph import write_whole
    from hf_vits.export.tokens import tokens_of

    tokens = tokens_of(voice.tokenizer)
    takes_phonemes = voice.tokenizer.phonemize and all(
        index is not None and tokens.own.get(token) == index for token, index in tokens.special.items()
    )  # as in Piper's voices
    if (tokens.bos is None) != (tokens.eos is None):
        raise ValueError(
            "This voice has BOS or EOS at one end of a text only; sherpa-onnx adds both or none. Export it for piper, "
            "which can add one."
        )
    yield from notes(voice.tokenizer, tokens, takes_phonemes)
    (folder / "tokens.txt").write_text(table(tokens), encoding="utf-8")
    metadata = _metadata(voice, tokens, takes_phonemes)
    yield write_whole(voice, tokens, folder / "model.onnx", metadata)


def table(tokens) -> str:
    """Return the lines of `tokens.txt`: a token and its id."""
    spoken = {token: index for token, index in tokens.ids.items() if token not in _UNWRITTEN}
    return "".join(f"{token} {index}\n" for token, index in spoken.items())


def notes(tokenizer, tokens, takes_phonemes: bool) -> Iterator[str]:
    """Yield notes on how to prepare texts for sherpa-onnx, and on what it pronounces differently."""
    if tokenizer.is_uroman:
        yield "This voice reads text romanized by uroman; sherpa-onnx does not romanize, so do that before."
    if takes_phonemes:
        yield (
            "This voice reads phonemes. sherpa-onnx 2 takes them as `GenerationConfig.phoneme_codepoints`, as hf_vits' "
            "docs/export.md shows, and is silent for a text; earlier versions phonemize texts, given eSpeak's data."
        )
    elif tokenizer.phonemize:
        yield (
            "This voice reads phonemes without Piper's BOS, EOS and padding. Give them to sherpa-onnx as if they were "
            "the text: its front end for characters adds what the voice was trained with."
        )
    if not takes_phonemes:
        capitals = sorted(token for token in tokens.own if token.isascii() and token.isupper())
        if capitals and not tokenizer.normalize:
            yield f"sherpa-onnx lowercases A to Z, so these tokens are never used: {' '.join(capitals)}."
        if tokenizer.cleaner not in (None, "none"):
            yield f"sherpa-onnx does not clean texts as `{tokenizer.cleaner}` does; do that before."
        if tokenizer.unicode_form:
            yield f"sherpa-onnx does not normalize texts; convert them to the form {tokenizer.unicode_form} before."
    if tokens.unreachable:
        yield f"Left out, because they are longer than a code point: {', '.join(tokens.unreachable)}."
    if not takes_phonemes:
        yield from _lost(tokens)


def _lost(tokens) -> Iterator[str]:
    """Yield notes on characters that sherpa-onnx pronounces differently: it looks up single ones, A as a."""
    if missing := [token for token in _UNWRITTEN if token in tokens.ids]:
        yield f"Lost in sherpa-onnx, whose table of tokens cannot contain them: {_named(missing)}. Write spaces."
    several = {letter: spoken for letter, spoken in tokens.several.items() if letter not in _UNWRITTEN}
    if several:
        letters = sorted(several)
        listed = [f"{_name(letter)} as {several[letter]}" for letter in letters] if len(letters) <= _SHOWN else letters
        yield (
            f"Lost in sherpa-onnx, because the voice has several tokens for one character ({len(letters)} in all): "
            f"{', '.join(listed)}. Write the tokens."
        )
    for letter, (within, end) in sorted(tokens.at_end.items()):
        if len(within) == 1 or len(end) == 1:
            yield (
                f"sherpa-onnx reads {_name(letter)} as {within or 'nothing'} at the end of a word too, where the "
                f"voice reads {end or 'nothing'}. Write {end or 'lowercase letters'} there."
            )
    index = {number: token for token, number in tokens.own.items()}
    for letter in map(chr, range(ord("A"), ord("Z") + 1)):
        small = letter.lower()
        if letter in tokens.ids and letter not in tokens.own and tokens.ids[letter] != tokens.ids.get(small):
            own = index[tokens.ids[letter]]
            yield f"sherpa-onnx reads {letter} as {small}, where the voice reads {own}. Write {own}."


def _named(letters: Iterable[str]) -> str:
    """List characters, with the code points of those that are invisible or easily confused."""
    return ", ".join(map(_name, letters))


def _name(letter: str) -> str:
    code = f"U+{ord(letter):04X}"
    if letter.isspace() or not letter.isprintable():
        return code
    return letter if letter.isascii() else f"{letter} ({code})"


def _metadata(voice: Voice, tokens, takes_phonemes: bool) -> dict[str, object]:
    """Return what sherpa-onnx reads from the graph, and the voice's own scales, which the caller has to pass."""
    from hf_vits.export.tokens import espeak_voice

    config, tokenizer = voice.model.config, voice.tokenizer
    spoken = espeak_voice(tokenizer) if tokenizer.phonemize else tokenizer.language or "und"
    shared = {
        "model_type": "vits",
        "comment": LAYOUT_OF_PIPER if takes_phonemes else LAYOUT_OF_COQUI,
        "language": spoken,
        "n_speakers": config.num_speakers,
        "sample_rate": config.sampling_rate,
        "add_blank": int(tokens.blank is not None),
        "noise_scale": config.noise_scale,
        "noise_scale_w": config.noise_scale_duration,
        "length_scale": 1 / config.speaking_rate,
    }
    if takes_phonemes:
        return shared | {"voice": spoken, "has_espeak": 1}
    framed = tokens.bos is not None or tokens.eos is not None
    return shared | {
        "voice": spoken if tokenizer.phonemize else "",
        "has_espeak": 0,
        "frontend": "characters",
        "blank_id": tokens.blank or 0,
        "use_eos_bos": int(framed),  # 1 if it is not given
        "bos_id": tokens.bos or 0,
        "eos_id": tokens.eos or 0,
    }
