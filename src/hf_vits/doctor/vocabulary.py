"""The tokenizer's table against the model's: every id has a row, every symbol can come up, and the blank is there."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from hf_vits.doctor.commands import json_changed
from hf_vits.doctor.finding import Finding, error, note, warning
from hf_vits.doctor.folder import Folder
from hf_vits.wording import listed, quoted

FETCH = "Copy vocab.json and tokenizer_config.json from the voice that this one was made from."

ORIGINAL = (177, 178)
"""Symbols and rows of the original's English voices."""

MOST_IDS = 2**31


def check_vocabulary(folder: Folder) -> Iterator[Finding]:
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


def _ids(folder: Folder, table: dict[str, int]) -> Iterator[Finding]:
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


def _symbols(folder: Folder, table: dict[str, int]) -> Iterator[Finding]:
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


def _blank(folder: Folder, table: dict[str, int], options: dict) -> Iterator[Finding]:
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
