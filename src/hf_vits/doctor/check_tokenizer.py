"""The tokenizer's table against the model's: every id has a row, every symbol can come up, and the blank is there."""

import importlib.util
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from hf_vits.doctor.findings import Diagnostic, error, note, warning
from hf_vits.doctor.fixes import PHONEMES, json_changed
from hf_vits.doctor.voice_folder import Folder
from hf_vits.text import espeak
from hf_vits.text.vocabulary import EXTENDED_CLASS
from hf_vits.utils.formatting import listed, quoted

FETCH = "Copy vocab.json and tokenizer_config.json from the voice that this one was made from."

ORIGINAL = (177, 178)
"""Symbols and rows of the original's English voices."""

MOST_IDS = 2**31


def check_vocabulary(folder: Folder) -> Iterator[Diagnostic]:
    """vocab.json, alone and against the embedding."""
    if problem := folder.vocabulary.problem:
        yield error("tokenizer.vocab", f'{problem}. It must give each symbol an id: {{"a": 1}}.', FETCH)
        return
    table = folder.vocabulary.table
    if table is None:
        yield warning("tokenizer.missing", "There is no vocab.json, so no text can be spoken, only ids.", FETCH)
        return
    odd = [f"{quoted(symbol)}: {quoted(index)}" for symbol, index in table.items() if not _is_id(index)]
    if odd or not table:
        text = f"vocab.json must give each symbol an id of 0 or more; it has {listed(odd) or 'no symbol'}."
        yield error("tokenizer.vocab", text, FETCH)
        return
    if folder.vocabulary.repeated:
        names = [quoted(symbol) for symbol in folder.vocabulary.repeated]
        text = f"vocab.json has {listed(names)} more than once; the last id counts, and the others are never used."
        yield warning("tokenizer.repeated_symbol", text, "Leave one line for each symbol.")
    yield from _ids(folder, table)
    yield from _symbols(folder, table)


def _ids(folder: Folder, table: dict[str, int]) -> Iterator[Diagnostic]:
    rows = folder.believed.vocab_size if folder.believed is not None else None
    shared = [index for index, count in Counter(table.values()).items() if count > 1]
    if shared:
        names = [quoted(symbol) for symbol, index in table.items() if index == shared[0]]
        text = (
            f"{len(shared)} ids belong to more than one symbol; {shared[0]} to {listed(names)}, which sound the same."
        )
        yield warning(
            "tokenizer.shared_id", text, "Give every symbol the id that it was trained with.", ids=shared[:100]
        )
    if rows is None:
        return
    outside = [f"{quoted(symbol)}: {index}" for symbol, index in table.items() if index >= rows]
    if outside:
        text = (
            f"Symbols with ids beyond the embedding, whose rows are 0 to {rows - 1} ({len(outside)}): "
            f"{listed(outside)}. A text with one of them cannot be spoken (IndexError in stock transformers)."
        )
        mend = "Take the vocab.json that the voice was trained with."
        yield error("tokenizer.id_outside", text, mend, rows=rows, symbols=outside[:100])
        return
    used = {*table.values()}
    gaps = list(islice((index for index in range(max(used)) if index not in used), 100))
    unused = rows - len(used)
    if (len(table), rows) == ORIGINAL:
        text = (
            "The vocabulary has 177 symbols for 178 rows. That is right for the original VITS symbols: their list has "
            "the sign ' twice, and the later id counts."
        )
        yield note("tokenizer.original_symbols", text)
    elif gaps or unused:
        named = f", ids {listed([str(index) for index in gaps])} among them within it" if gaps else ""
        text = f"{unused} rows of the embedding belong to no symbol{named}; that is no fault if it was trained so."
        yield note("tokenizer.unused_rows", text, gaps=gaps, unused=unused)


def _symbols(folder: Folder, table: dict[str, int]) -> Iterator[Diagnostic]:
    options = folder.tokenizer.table or {}
    named = {token for name in options if name.endswith("_token") and (token := content(options[name]))}
    named |= {"<unk>", "<pad>"}
    long = [
        quoted(symbol) for symbol in table if len(symbol) != 1 and symbol not in named and not _is_bracketed(symbol)
    ]
    if long:
        text = (
            f"Symbols that are not one character ({len(long)}): {listed(long)}. Texts are cut into characters, so they "
            "never come up."
        )
        yield warning(
            "tokenizer.long_symbol",
            text,
            "Give each sound one character, as the voice was trained.",
            symbols=long[:100],
        )
    yield from _blank(folder, table, options)
    pad = content(options.get("pad_token")) or "<pad>"
    if pad in table and pad.isalpha() and options.get("add_blank", True):
        text = (
            f"The pad token {quoted(pad)} is a letter of the vocabulary. The stock tokenizer cuts it out of texts and "
            "loses the blanks around it; that of hf_vits does not."
        )
        yield note("tokenizer.pad_letter", text, "In stock transformers, take hf_vits.VitsTokenizer.")


def _blank(folder: Folder, table: dict[str, int], options: dict) -> Iterator[Diagnostic]:
    if not options.get("add_blank", True):
        return
    file, blank = folder.path / "tokenizer_config.json", content(options.get("blank_token"))
    if blank is None and 0 not in table.values():
        text = "No symbol has the id 0, which is the blank's, and tokenizer_config.json names no `blank_token`."
        yield error("tokenizer.no_blank", text, "Name the symbol of the blank as `blank_token`.")
    elif blank is not None and blank not in table:
        text = f"The `blank_token` {quoted(blank)} is no symbol of vocab.json."
        command = json_changed(file, without=("blank_token",)) if 0 in table.values() else None
        mend = "Name the one that the voice was trained with" + (", or leave it out for id 0." if command else ".")
        yield error("tokenizer.blank_token", text, mend, command)
    elif folder.config is not None and (index := table[blank] if blank else 0) != folder.config.blank_id:
        text = f"`blank_id` in config.json is {folder.config.blank_id}, but the tokenizer puts {index} between symbols."
        command = json_changed(folder.path / "config.json", blank_id=index)
        yield warning(
            "tokenizer.blank_id", text, "Make them one.", command, config=folder.config.blank_id, tokenizer=index
        )


def content(token: object) -> str | None:
    """The characters of a token as a tokenizer_config.json gives it: a string, or a table with them."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None


def _is_id(index: object) -> bool:
    return type(index) is int and 0 <= index < MOST_IDS


def _is_bracketed(symbol: str) -> bool:
    """Whether it is a name such as <unk>."""
    return len(symbol) > 2 and symbol[0] == "<" and symbol[-1] == ">"


FLAGS = ("add_blank", "normalize", "phonemize", "is_uroman")
CLASSES = ("VitsTokenizer", EXTENDED_CLASS)


def check_front_end(folder: Folder) -> Iterator[Diagnostic]:
    """tokenizer_config.json, and what it needs of this machine."""
    if folder.vocabulary.table is None:
        return
    options = folder.tokenizer.table
    if folder.tokenizer.problem or options is None:
        text = folder.tokenizer.problem or "There is no tokenizer_config.json"
        which = "error" if folder.tokenizer.problem else "warning"
        more = "" if folder.tokenizer.problem else ", so texts are turned into American English phonemes, the default"
        yield Diagnostic(
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


def _romanised(options: dict) -> Iterator[Diagnostic]:
    if options.get("is_uroman") and importlib.util.find_spec("uroman") is None:
        text = "The voice was trained on romanised text (`is_uroman`), and the package uroman is not installed here."
        yield warning("tokenizer.uroman", text, "Install it, to speak other than ASCII.", PHONEMES)


def _phonemes(options: dict, kind: str | None) -> Iterator[Diagnostic]:
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


def _unknown(folder: Folder, options: dict) -> Iterator[Diagnostic]:
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
