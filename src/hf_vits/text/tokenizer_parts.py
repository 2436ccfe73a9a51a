"""What the tokenizer does besides making ids: load and save its files, and pad the offsets of a batch."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import BatchEncoding

from hf_vits.files import named_in_errors, require_if_there
from hf_vits.text import coqui_cleaners, vocabulary
from hf_vits.text.tracked import Span

PADDING_OPTIONS = frozenset(["max_length", "pad_to_multiple_of", "padding_side", "return_attention_mask"])


FILES = {
    "vocab.json": "vocab_file",
    "tokenizer_config.json": "tokenizer_config_file",
    "special_tokens_map.json": "special_tokens_map_file",
    "added_tokens.json": "added_tokens_file",
    "tokenizer.json": "tokenizer_file",
    "chat_template.jinja": "chat_template_file",
}
"""Files that transformers opens if they are there, and what it calls them."""


class Files:
    """Reads and writes the files of transformers' tokenizer, and declares in them what that one does not know."""

    @classmethod
    def of_symbols(cls, symbols: Mapping[str, int], **options: Any):
        """A tokenizer with this vocabulary, symbol by id; `options` are those of the class."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "vocab.json"
            file.write_text(json.dumps(dict(symbols), ensure_ascii=False), encoding="utf-8")
            return cls(str(file), **options)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """As in transformers. Raises OSError for missing files, ValueError, with the file's name, for broken ones."""
        folder = Path(pretrained_model_name_or_path) / (kwargs.get("subfolder") or "")
        for name in FILES:
            require_if_there(folder / name)
        vocabulary.check_files({kind: folder / name for name, kind in FILES.items() if (folder / name).is_file()})
        with named_in_errors(
            f"The tokenizer {str(pretrained_model_name_or_path)!r}, or one of its JSON files,",
            pretrained_model_name_or_path,
        ):
            return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    @classmethod
    def _from_pretrained(cls, files: dict, name: str, configuration: dict, *inputs, **kwargs):
        vocabulary.check_files(files)
        if not vocabulary.is_extended(files, name) and not kwargs.keys() & {"bos_token", "eos_token"}:
            kwargs.setdefault("framed", False)
        return super()._from_pretrained(files, name, configuration, *inputs, **kwargs)

    def _save_pretrained(self, save_directory, file_names, **kwargs) -> tuple[str, ...]:
        class_name = "VitsTokenizer" if self.in_upstreams_layout else vocabulary.EXTENDED_CLASS
        self._frame()  # refuses to write what could not be read again
        options = {name: getattr(self, name) for name in vocabulary.EXTENSIONS}
        options["framed"] = self._has_frame or not (self.bos_token or self.eos_token)
        options["framed"] |= self.framed and self.upstream_compatible
        pad = self.pad_token
        if pad is not None and class_name == "VitsTokenizer" and self.pad_token_id != self.encoder.get(pad):
            pad = self.decoder.get(self.pad_token_id, pad)  # for a symbol of no id the model has no row
        vocabulary.update_config(file_names[0], class_name, options, {"pad_token": pad})
        return super()._save_pretrained(save_directory, file_names, **kwargs)

    @property
    def in_upstreams_layout(self) -> bool:
        """Whether transformers' own tokenizer, whose phonemes are always American English, gives the same ids."""
        if self.upstream_compatible:
            return True
        voice = self._front_end(self.normalize).voice.lower()
        spoken = self.phonemize and (self.phoneme_style != "vits" or voice != "en-us")
        spelled = self.cleaner in coqui_cleaners.CLEANERS
        return self.blank_id == 0 and not (self._has_frame or self.unicode_form or spoken or spelled)


class Batches:
    """Cuts and pads ids as transformers does, and their spans with them; a span of padding is empty."""

    def _truncated(self, ids: list[int], spans: list[Span] | None, **kwargs) -> dict:
        later = {"padding": False, "return_attention_mask": False, "return_tensors": None, "pad_to_multiple_of": None}
        options = {**kwargs, **later, "truncation": kwargs.get("truncation_strategy", False)}
        encoding = dict(self.prepare_for_model(ids, **options))
        if spans is not None:
            kept = len(encoding["input_ids"])
            encoding["offset_mapping"] = spans[:kept] if self.truncation_side == "right" else spans[-kept:]
        overflow = ("overflowing_tokens", "num_truncated_tokens") if kwargs.get("return_tensors") else ()  # ragged
        return {name: value for name, value in encoding.items() if name not in overflow}

    def _padded(self, encodings: list[dict], batched: bool, padding_strategy=False, **kwargs) -> BatchEncoding:
        options = {name: kwargs[name] for name in PADDING_OPTIONS & kwargs.keys()}
        padded = self.pad(encodings if batched else encodings[0], padding=padding_strategy, **options)
        return BatchEncoding(dict(padded), tensor_type=kwargs.get("return_tensors"), prepend_batch_axis=not batched)

    def _pad(self, encoded_inputs, **kwargs) -> dict:
        padded = super()._pad(encoded_inputs, **kwargs)
        spans = padded.get("offset_mapping")
        if spans is not None and (missing := len(padded["input_ids"]) - len(spans)):
            side = kwargs.get("padding_side") or self.padding_side
            end, start = (spans[-1][1],) * 2, (spans[0][0],) * 2
            padded["offset_mapping"] = [*spans, *[end] * missing] if side == "right" else [*[start] * missing, *spans]
        return padded
