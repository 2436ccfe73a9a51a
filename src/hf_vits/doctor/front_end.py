"""The tokenizer's options: whether texts become the symbols that the voice was trained with, here and elsewhere."""

import importlib.util
from collections.abc import Iterator

from hf_vits.doctor.commands import PHONEMES
from hf_vits.doctor.finding import Finding, error, note, warning
from hf_vits.doctor.folder import Folder
from hf_vits.doctor.vocabulary import FETCH, content
from hf_vits.text import espeak
from hf_vits.text.vocabulary import EXTENDED_CLASS
from hf_vits.wording import quoted

FLAGS = ("add_blank", "normalize", "phonemize", "is_uroman")
CLASSES = ("VitsTokenizer", EXTENDED_CLASS)


def check_front_end(folder: Folder) -> Iterator[Finding]:
    """tokenizer_config.json, and what it needs of this machine."""
    if folder.vocabulary.table is None:
        return
    options = folder.tokenizer.table
    if folder.tokenizer.problem or options is None:
        text = folder.tokenizer.problem or "There is no tokenizer_config.json"
        which = "error" if folder.tokenizer.problem else "warning"
        more = "" if folder.tokenizer.problem else ", so texts are turned into American English phonemes, the default"
        yield Finding(
            f"tokenizer.config_{'damaged' if folder.tokenizer.problem else 'missing'}", which, f"{text}{more}.", FETCH
        )
        return
    odd = [name for name in FLAGS if not isinstance(options.get(name, True), bool)]
    languages = ("language", "phoneme_language")
    odd += [name for name in languages if not isinstance(options.get(name), str | None)]
    for name in odd:
        allowed = "true, false" if name in FLAGS else "a name, null"
        text = f"`{name}` in tokenizer_config.json is {quoted(options[name])}; allowed: {allowed}."
        yield error("tokenizer.option", text, FETCH, option=name)
    kind = options.get("tokenizer_class")
    if kind is not None and kind not in CLASSES:
        text = f"`tokenizer_class` is {quoted(kind)}; that of a VITS voice is {' or '.join(CLASSES)}."
        yield warning("tokenizer.class", text, FETCH)
    if not odd:
        yield from _phonemes(options, kind) if options.get("phonemize", True) else _romanised(options)
        yield from _unknown(folder, options)


def _romanised(options: dict) -> Iterator[Finding]:
    if options.get("is_uroman") and importlib.util.find_spec("uroman") is None:
        text = "The voice was trained on romanised text (`is_uroman`), and the package uroman is not installed here."
        yield warning("tokenizer.uroman", text, "Install it, to speak other than ASCII.", PHONEMES)


def _phonemes(options: dict, kind: str | None) -> Iterator[Finding]:
    language, own = options.get("language"), options.get("phoneme_language")
    voice = own or espeak.voice_for(language)
    if not (own or language):
        text = "The voice reads phonemes and names no language; American English is taken."
        yield note(
            "tokenizer.no_language", text, "If it is another, name it as `phoneme_language` in tokenizer_config.json."
        )
    if options.get("upstream_compatible") and importlib.util.find_spec("phonemizer") is None:
        text = "`upstream_compatible` takes phonemes from the package phonemizer, which is not installed here."
        yield warning("tokenizer.phonemizer", text, "Install it.", PHONEMES)
    try:
        espeak.clauses("a", voice)
    except ImportError:
        text = "The voice reads phonemes, and espeak-ng is not installed here: ids can be spoken, texts cannot."
        yield warning("tokenizer.espeak", text, "Install it.", PHONEMES)
    except (ValueError, OSError, RuntimeError) as problem:
        text = f"Texts become phonemes in {quoted(voice)}, and cannot: {str(problem)[:300]}"
        yield error(
            "tokenizer.phoneme_language", text, "Name one of these as `phoneme_language` in tokenizer_config.json."
        )
    if kind == "VitsTokenizer" and voice.lower() != "en-us":
        text = f"The voice reads phonemes of {quoted(voice)}; the stock tokenizer makes American English of every text."
        yield warning("tokenizer.stock_phonemes", text, "In stock transformers, take hf_vits.VitsTokenizer.")


def _unknown(folder: Folder, options: dict) -> Iterator[Finding]:
    """Where the stock tokenizer keeps what it does not know, instead of leaving it out."""
    table, rows = folder.vocabulary.table, folder.believed.vocab_size if folder.believed is not None else None
    kept = options.get("phonemize", True) or not options.get("normalize", True)
    unk = content(options.get("unk_token")) or "<unk>"
    if rows is not None and kept and unk not in table and len(table) >= rows:
        text = (
            f"In stock transformers, a symbol that is not in the vocabulary becomes {quoted(unk)}, whose id "
            f"{len(table)} is beyond the embedding's {rows} rows: an IndexError. hf_vits leaves such symbols out."
        )
        yield warning(
            "tokenizer.unk_outside",
            text,
            "In stock transformers, take hf_vits.VitsTokenizer.",
            id=len(table),
            rows=rows,
        )
