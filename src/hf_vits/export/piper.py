"""For Piper, and so for Home Assistant: `<name>.onnx` and `<name>.onnx.json`, as Piper's own exporter leaves them."""

import json
from collections.abc import Iterator
from pathlib import Path

from hf_vits.export import Voice

LIBRARY = "piper"

HELP = "<name>.onnx and <name>.onnx.json, for Piper and Home Assistant"


def write(voice: Voice, folder: Path) -> Iterator[str]:
    """Writes the files; yields notes."""
    from hf_vits.export.onnx_graph import write_whole

    symbols, notes = _checked(voice)
    yield from notes
    about = json.dumps(_description(voice, symbols), ensure_ascii=False, indent=2)
    (folder / f"{voice.name}.onnx.json").write_text(about + "\n", encoding="utf-8")
    yield write_whole(voice, symbols, folder / f"{voice.name}.onnx")


def _checked(voice: Voice):
    """The voice's symbols and what is to be said of them; `ValueError` if Piper could not speak it rightly."""
    from hf_vits.export.symbols import composed, symbols_of

    tokenizer, symbols, notes = voice.tokenizer, symbols_of(voice.tokenizer), []
    if tokenizer.is_uroman:
        raise ValueError(
            "This voice reads text romanised by uroman, which Piper does not have. Export it for sherpa, and romanise "
            "texts before."
        )
    lost = composed(symbols.own) if tokenizer.unicode_form not in ("NFD", "NFKD") else []
    if lost and not tokenizer.phonemize:
        raise ValueError(
            f"Piper takes letters with accents apart before it looks them up, and would never find {_shown(lost)} of "
            "this voice. Export it for sherpa, which does not."
        )
    if lost:
        notes.append(f"Piper takes letters with accents apart, and never finds the symbols {_shown(lost)}.")
    if tokenizer.phonemize and (tokenizer.phoneme_style != "piper" or tokenizer.unicode_form != "NFD"):
        notes.append(
            "This voice was not trained with Piper's front end. Piper speaks it with its own: of the punctuation only "
            "what ends a clause is kept, and abbreviations and numbers are read as eSpeak reads them."
        )
    elif not tokenizer.phonemize and tokenizer.cleaner not in (None, "none"):
        notes.append(f"Piper does not clean texts as `{tokenizer.cleaner}` does: write numbers and the like in words.")
    taken = [symbol for symbol, index in symbols.frame.items() if symbols.own.get(symbol, index) != index]
    if taken:
        notes.append(f"Piper frames texts with {_shown(taken)}, which cannot stand for themselves in a text any more.")
    if symbols.unreachable:
        notes.append(f"Left out, symbols longer than a code point: {_shown(symbols.unreachable)}.")
    return symbols, notes


def _description(voice: Voice, symbols) -> dict:
    """What the JSON file says."""
    from hf_vits.export.symbols import espeak_voice

    config, tokenizer = voice.model.config, voice.tokenizer
    language = espeak_voice(tokenizer) if tokenizer.phonemize else tokenizer.language or "und"
    # An empty list is nothing at all: so a voice without a frame, or without blanks, gets the ids it was trained with.
    ids = {symbol: [] if index is None else [index] for symbol, index in symbols.frame.items()}
    names = config.speaker_names or [str(number) for number in range(config.num_speakers)]
    return {
        "audio": {"sample_rate": config.sampling_rate, "quality": _quality(config)},
        "espeak": {"voice": language},
        "language": {"code": _language_code(language)},
        "inference": {
            "noise_scale": config.noise_scale,
            "length_scale": 1 / config.speaking_rate,
            "noise_w": config.noise_scale_duration,
        },
        "phoneme_type": "espeak" if tokenizer.phonemize else "text",
        "phoneme_map": {},
        "phoneme_id_map": ids
        | {symbol: [index] for symbol, index in symbols.ids.items() if symbol not in symbols.frame},
        "num_symbols": config.vocab_size,
        "num_speakers": config.num_speakers,
        "speaker_id_map": {name: i for i, name in enumerate(names)} if config.num_speakers > 1 else {},
        "default_speaker_id": 0,
        "hop_length": config.hop_length,
        "piper_version": "1.0.0",
        "dataset": voice.name,
    }


def _quality(config) -> str:
    """Piper's word for the size: `high` is the paper's decoder."""
    if config.resblock_type == "1":
        return "high"
    return "medium" if config.sampling_rate > 16_000 else "low"


def _language_code(language: str) -> str:
    """en-us -> en_US."""
    first, *rest = language.split("-")
    return "_".join([first, *(part.upper() if len(part) == 2 else part for part in rest)])


def _shown(symbols) -> str:
    """The first of them, and how many more there are."""
    first = ", ".join(symbols[:12])
    return first if len(symbols) <= 12 else f"{first} and {len(symbols) - 12} more"
