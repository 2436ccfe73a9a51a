"""Target `piper`: `<name>.onnx` and `<name>.onnx.json`, as Piper's exporter writes them; for Home Assistant too."""

import json
from collections.abc import Iterator
from pathlib import Path

from hf_vits.export import Voice, target


@target("piper", "<name>.onnx and <name>.onnx.json, for Piper and Home Assistant", library="piper")
def write(voice: Voice, folder: Path) -> Iterator[str]:
    """Write the files; yield notes."""
    from hf_vits.export.onnx_graph import write_whole

    tokens, notes = _checked(voice)
    yield from notes
    about = json.dumps(_description(voice, tokens), ensure_ascii=False, indent=2)
    (folder / f"{voice.name}.onnx.json").write_text(about + "\n", encoding="utf-8")
    yield write_whole(voice, tokens, folder / f"{voice.name}.onnx")


def _checked(voice: Voice):
    """Return the tokens of a voice and notes on them; raise `ValueError` if Piper could not pronounce it correctly."""
    from hf_vits.export.tokens import composed, tokens_of

    tokenizer, tokens, notes = voice.tokenizer, tokens_of(voice.tokenizer), []
    if tokenizer.is_uroman:
        raise ValueError(
            "This voice reads text romanized by uroman, which Piper does not have. Export it for sherpa, and romanize "
            "texts before."
        )
    lost = composed(tokens.own) if tokenizer.unicode_form not in ("NFD", "NFKD") else []
    if lost and not tokenizer.phonemize:
        raise ValueError(
            f"Piper decomposes letters with accents before it looks them up, and would never find {_shown(lost)} of "
            "this voice. Export it for sherpa, which does not decompose them."
        )
    if lost:
        notes.append(f"Piper decomposes letters with accents, and never finds the tokens {_shown(lost)}.")
    if tokenizer.phonemize and (tokenizer.phoneme_style != "piper" or tokenizer.unicode_form != "NFD"):
        notes.append(
            "This voice was not trained with Piper's front end, which Piper will use: it keeps only punctuation that "
            "ends a clause, and reads abbreviations and numbers as eSpeak does."
        )
    elif not tokenizer.phonemize and tokenizer.cleaner not in (None, "none"):
        notes.append(f"Piper does not clean texts as `{tokenizer.cleaner}` does: spell out numbers and the like.")
    taken = [token for token, index in tokens.special.items() if tokens.own.get(token, index) != index]
    if taken:
        notes.append(f"Piper uses {_shown(taken)} as BOS, EOS or padding, so that texts cannot contain them.")
    if tokens.unreachable:
        notes.append(f"Left out, because they are longer than a code point: {_shown(tokens.unreachable)}.")
    return tokens, notes


def _description(voice: Voice, tokens) -> dict:
    """Return the contents of the JSON file."""
    from hf_vits.export.tokens import espeak_voice

    config, tokenizer = voice.model.config, voice.tokenizer
    language = espeak_voice(tokenizer) if tokenizer.phonemize else tokenizer.language or "und"
    # An empty list adds no id: a voice without BOS, EOS or blanks gets the ids that it was trained with.
    ids = {token: [] if index is None else [index] for token, index in tokens.special.items()}
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
        "phoneme_id_map": ids | {token: [index] for token, index in tokens.ids.items() if token not in tokens.special},
        "num_symbols": config.vocab_size,
        "num_speakers": config.num_speakers,
        "speaker_id_map": {name: i for i, name in enumerate(names)} if config.num_speakers > 1 else {},
        "default_speaker_id": 0,
        "hop_length": config.hop_length,
        "piper_version": "1.0.0",
        "dataset": voice.name,
    }


def _quality(config) -> str:
    """Return Piper's name for the size: `high` is the paper's decoder."""
    if config.decoder is None and config.resblock_type == "1":
        return "high"
    return "medium" if config.sampling_rate > 16_000 else "low"


def _language_code(language: str) -> str:
    """Return en_US for en-us."""
    first, *rest = language.split("-")
    return "_".join([first, *(part.upper() if len(part) == 2 else part for part in rest)])


def _shown(tokens) -> str:
    """Return the first tokens, and the number of the others."""
    first = ", ".join(tokens[:12])
    return first if len(tokens) <= 12 else f"{first} and {len(tokens) - 12} more"
