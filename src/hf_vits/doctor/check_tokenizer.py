"""Checks of the tokenizer: its vocabulary against the embedding, its options, and what they need to be installed."""

import importlib.util
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from hf_vits.doctor.diagnostics import Diagnostic, counted, error, note, warning
from hf_vits.doctor.fixes import INSTALL_PHONEMES, EditJson
from hf_vits.doctor.model_folder import ModelFolder
from hf_vits.hub.model_files import CONFIG, TOKENIZER_CONFIG
from hf_vits.text import espeak
from hf_vits.text.vocabulary import EXTENDED_CLASS
from hf_vits.utils.formatting import listed, quoted

COPY = "Copy vocab.json and tokenizer_config.json from the model that this one was made from."

OUR_TOKENIZER = "With transformers, use hf_vits.VitsTokenizer."

ORIGINAL_SIZES = (177, 178)
"""Tokens and embeddings of the original's English models."""

MAX_ID = 2**31 - 1

FLAGS, LANGUAGES = ("add_blank", "normalize", "phonemize", "is_uroman"), ("language", "phoneme_language")
CLASSES = ("VitsTokenizer", EXTENDED_CLASS)


def check_vocabulary(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check vocab.json, by itself and against the embedding."""
    if problem := folder.vocabulary.problem:
        yield error("tokenizer.invalid_vocab", f'{problem}. It must give each token an id: {{"a": 1}}.', COPY)
        return
    table = folder.vocabulary.table
    if table is None:
        message = "There is no vocab.json, so speech can be generated from ids only, not from text."
        yield warning("tokenizer.missing", message, COPY)
        return
    invalid = [f"{quoted(token)}: {quoted(index)}" for token, index in table.items() if not _is_id(index)]
    if invalid or not table:
        message = f"vocab.json must give each token an id of 0 or more; it has {listed(invalid) or 'no token'}."
        yield error("tokenizer.invalid_vocab", message, COPY)
        return
    if folder.vocabulary.repeated:
        names = [quoted(token) for token in folder.vocabulary.repeated]
        message = f"vocab.json has {listed(names)} more than once; the last id counts, and the others are never used."
        yield warning("tokenizer.repeated_token", message, "Keep one line for each token.")
    yield from _ids(folder, table)
    yield from _tokens(folder, table)


def _ids(folder: ModelFolder, table: dict[str, int]) -> Iterator[Diagnostic]:
    if shared := [index for index, count in Counter(table.values()).items() if count > 1]:
        names = [quoted(token) for token, index in table.items() if index == shared[0]]
        message = f"{len(shared)} ids are shared by tokens, which then sound alike: {shared[0]} is {listed(names)}."
        advice = "Give every token the id that it was trained with."
        yield warning("tokenizer.shared_id", message, advice, ids=shared[:100])
    rows = folder.effective_config.vocab_size if folder.effective_config is not None else None
    if rows is None:
        return
    if outside := [f"{quoted(token)}: {index}" for token, index in table.items() if index >= rows]:
        message = (
            f"Tokens with ids outside of the embedding, whose rows are 0 to {rows - 1} ({len(outside)}): "
            f"{listed(outside)}. Texts with them cannot be spoken (IndexError in transformers)."
        )
        advice = "Use the vocab.json that the model was trained with."
        yield error("tokenizer.id_out_of_range", message, advice, rows=rows, tokens=outside[:100])
        return
    used = {*table.values()}
    gaps = list(islice((index for index in range(max(used)) if index not in used), 100))
    if (len(table), rows) == ORIGINAL_SIZES:
        message = (
            "The vocabulary has 177 tokens for 178 embeddings. That is correct for the symbols of the original VITS: "
            "their list has the sign ' twice, and the later id counts."
        )
        yield note("tokenizer.original_vocabulary", message)
    elif gaps or len(used) < rows:
        between = f", ids {listed([str(index) for index in gaps])} among them below the largest" if gaps else ""
        message = f"Embeddings of no token: {rows - len(used)}{between}. That is no fault if the model was trained so."
        yield note("tokenizer.unused_embeddings", message, gaps=gaps, unused=rows - len(used))


def _tokens(folder: ModelFolder, table: dict[str, int]) -> Iterator[Diagnostic]:
    options = folder.tokenizer_file.table or {}
    special = {content(options[name]) for name in options if name.endswith("_token")} | {"<unk>", "<pad>"}
    if long := [
        quoted(token) for token in table if len(token) != 1 and token not in special and not _is_bracketed(token)
    ]:
        message = (
            f"{counted('Tokens that are not one character', long)} Texts are split into characters, so they are unused."
        )
        advice = "Give each sound one character, as the model was trained."
        yield warning("tokenizer.multi_character_token", message, advice, tokens=long[:100])
    if not options.get("add_blank", True):
        return
    yield from _blank(folder, table, content(options.get("blank_token")))
    pad = content(options.get("pad_token")) or "<pad>"
    if pad in table and pad.isalpha():
        message = (
            f"The pad token {quoted(pad)} is a letter of the vocabulary. The tokenizer of transformers removes it from "
            "texts with the blanks around it; that of hf_vits does not."
        )
        yield note("tokenizer.pad_is_letter", message, OUR_TOKENIZER)


def _blank(folder: ModelFolder, table: dict[str, int], blank: str | None) -> Iterator[Diagnostic]:
    has_zero = 0 in table.values()
    if blank is None and not has_zero:
        message = "No token has the id 0, which is the blank's, and tokenizer_config.json names no `blank_token`."
        yield error("tokenizer.no_blank", message, "Name the blank's token as `blank_token`.")
    elif blank is not None and blank not in table:
        message = f"The `blank_token` {quoted(blank)} is not in vocab.json."
        trained_with_zero = folder.config is not None and folder.config.blank_id == 0
        fix = EditJson(TOKENIZER_CONFIG, remove=("blank_token",), automatic=trained_with_zero) if has_zero else None
        advice = "Name the one that the model was trained with" + (", or none for the id 0." if fix else ".")
        yield error("tokenizer.blank_token", message, advice, fix=fix)
    elif folder.config is not None and (index := table[blank] if blank else 0) != folder.config.blank_id:
        ours = folder.config.blank_id
        message = f"`blank_id` in config.json is {ours}, but the tokenizer inserts {index} between tokens."
        fix = EditJson(CONFIG, {"blank_id": index})
        yield warning("tokenizer.blank_id", message, "Make them equal.", fix=fix, config=ours, tokenizer=index)


def check_options(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check tokenizer_config.json, and that what it needs is installed."""
    if folder.vocabulary.table is None:
        return
    options = folder.tokenizer_file.table
    if folder.tokenizer_file.problem:
        yield error("tokenizer.config_damaged", f"{folder.tokenizer_file.problem}.", COPY)
        return
    if options is None:
        message = "There is no tokenizer_config.json, so texts become American English phonemes, the default."
        yield warning("tokenizer.config_missing", message, COPY)
        return
    invalid = [name for name in FLAGS if not isinstance(options.get(name, True), bool)]
    invalid += [name for name in LANGUAGES if not isinstance(options.get(name), str | None)]
    for name in invalid:
        allowed = "true, false" if name in FLAGS else "a name, null"
        message = f"`{name}` in tokenizer_config.json is {quoted(options[name])}; allowed: {allowed}."
        yield error("tokenizer.invalid_option", message, COPY, option=name)
    kind = options.get("tokenizer_class")
    if kind is not None and kind not in CLASSES:
        message = f"`tokenizer_class` is {quoted(kind)}; a VITS model's is {' or '.join(CLASSES)}."
        yield warning("tokenizer.class", message, COPY)
    if not invalid:
        yield from _phonemes(options, kind) if options.get("phonemize", True) else _uroman(options)
        yield from _unknown_token(folder, options)


def _uroman(options: dict) -> Iterator[Diagnostic]:
    if options.get("is_uroman") and importlib.util.find_spec("uroman") is None:
        message = "The model was trained on romanized text (`is_uroman`), and the package uroman is not installed."
        advice = "Install it, to speak text that is not ASCII."
        yield warning("tokenizer.no_uroman", message, advice, command=INSTALL_PHONEMES)


def _phonemes(options: dict, kind: str | None) -> Iterator[Diagnostic]:
    language = options.get("phoneme_language") or espeak.voice_for(options.get("language"))
    if not any(options.get(name) for name in LANGUAGES):
        message = "The model reads phonemes and names no language; American English is used."
        advice = "If it is another, name it as `phoneme_language` in tokenizer_config.json."
        yield note("tokenizer.no_language", message, advice)
    if options.get("upstream_compatible") and importlib.util.find_spec("phonemizer") is None:
        message = "`upstream_compatible` needs the package phonemizer, which is not installed."
        yield warning("tokenizer.no_phonemizer", message, "Install it.", command=INSTALL_PHONEMES)
    try:
        espeak.clauses("a", language)
    except ImportError:
        message = "The model reads phonemes, and espeak-ng is not installed: speech can be generated from ids only."
        yield warning("tokenizer.no_espeak", message, "Install it.", command=INSTALL_PHONEMES)
    except (ValueError, OSError, RuntimeError) as problem:
        message = f"Texts cannot become phonemes of {quoted(language)}: {str(problem)[:300]}"
        advice = "Name one of these as `phoneme_language` in tokenizer_config.json."
        yield error("tokenizer.phoneme_language", message, advice)
    if kind == "VitsTokenizer" and language.lower() != "en-us":
        message = f"The model reads phonemes of {quoted(language)}; transformers' tokenizer makes American English."
        yield warning("tokenizer.transformers_phonemes", message, OUR_TOKENIZER)


def _unknown_token(folder: ModelFolder, options: dict) -> Iterator[Diagnostic]:
    """Report an id out of range that the tokenizer of transformers gives to unknown characters."""
    table, config = folder.vocabulary.table, folder.effective_config
    is_used = options.get("phonemize", True) or not options.get("normalize", True)
    unknown = content(options.get("unk_token")) or "<unk>"
    if config is not None and is_used and unknown not in table and len(table) >= config.vocab_size:
        message = (
            f"In transformers, a character that is not in the vocabulary becomes {quoted(unknown)}, whose id "
            f"{len(table)} is outside of the {config.vocab_size} embeddings: an IndexError. hf_vits skips such "
            "characters."
        )
        details = {"token_id": len(table), "rows": config.vocab_size}
        yield warning("tokenizer.unknown_out_of_range", message, OUR_TOKENIZER, **details)


def content(token: object) -> str | None:
    """Return the characters of a token in tokenizer_config.json: a string, or a table that has them."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None


def _is_id(index: object) -> bool:
    return type(index) is int and 0 <= index <= MAX_ID


def _is_bracketed(token: str) -> bool:
    """Return whether a token is written like <unk>."""
    return len(token) > 2 and token[0] == "<" and token[-1] == ">"
