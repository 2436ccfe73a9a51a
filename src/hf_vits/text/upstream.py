"""Methods of a tokenizer that transformers' base class calls with `upstream_compatible=True`."""

from hf_vits.text.frontend import UpstreamFrontEnd, add_blanks


class UpstreamMethods:
    """Convert text to tokens as `transformers.VitsTokenizer` does; a part of `VitsTokenizer`."""

    def prepare_for_tokenization(self, text: str, is_split_into_words: bool = False, normalize=None, **kwargs):
        """Prepare a text as upstream does; raise ValueError without `upstream_compatible=True`."""
        if not self.upstream_compatible:
            raise ValueError(
                "`prepare_for_tokenization` needs `upstream_compatible=True`; call the tokenizer itself, or "
                "`tokenize(text)` for the tokens."
            )
        front_end = self._front_end(self.normalize if normalize is None else normalize)
        return UpstreamFrontEnd(front_end, self.get_vocab(), self.encoder).tokens(text), kwargs

    def _tokenize(self, text: str, **kwargs) -> list[str]:
        blank = self.decoder.get(0)  # without an id 0, upstream's blank is None, which is the id of `<unk>`
        return add_blanks(list(text), blank) if self.add_blank else list(text)

    def _convert_token_to_id(self, token: str) -> int | None:
        return self.encoder.get(token, self._added_tokens_encoder.get(self.unk_token))

    def _convert_id_to_token(self, index: int) -> str | None:
        return self.decoder.get(index)
