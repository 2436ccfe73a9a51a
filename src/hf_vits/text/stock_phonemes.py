"""Phonemes exactly as transformers' `VitsTokenizer` asks the package phonemizer for them."""

import functools
import os

from hf_vits.text import espeak
from hf_vits.text.espeak_process import EspeakEndedError
from hf_vits.text.espeak_room import cannot_speak

_IPA_APART = espeak.IPA | ord("_") << 8  # phoneme mode: the phonemes of a word separated by underscores


def stock_phonemes(text: str) -> str:
    """Return the phonemes of a text.

    Raises:
        ImportError: phonemizer is not installed, or espeak-ng's library is not found.
        ValueError: espeak-ng crashes at the text, with which stock ends the process.
    """
    lines = [line for line in text.split(os.linesep) if line.strip()]
    return os.linesep.join(_backend().phonemize(lines, strip=True)) if lines else ""


@functools.cache
def _backend():
    """phonemizer's espeak backend, which has espeak-ng run in a process of its own."""
    try:
        from phonemizer.backend import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
    except ImportError as error:
        raise ImportError(
            "`upstream_compatible=True` phonemizes with the package phonemizer, which is not installed. "
            'Run `pip install "hf_vits[phonemes]"`, or leave the option off.'
        ) from error
    try:
        EspeakWrapper.library()
    except RuntimeError:  # neither chosen by the user nor installed on the system
        library, data = espeak.library_paths()
        EspeakWrapper.set_library(library)
        EspeakWrapper.set_data_path(data)
    backend = EspeakBackend("en-us", preserve_punctuation=True, with_stress=True)
    backend._espeak = _Espeak()
    return backend


class _Espeak:
    """The one method that phonemizer's backend calls of its wrapper of the library."""

    def text_to_phonemes(self, text: str, tie: str | None = None) -> str:
        """Return the phonemes of a line, as the wrapper does."""
        text = text.partition("\0")[0]  # where a text ends in C
        try:
            (clauses,) = espeak.spoken([text], "en-us", _IPA_APART)
        except EspeakEndedError as error:
            if error.fresh:
                raise cannot_speak(text, error) from error
            return self.text_to_phonemes(text, tie)  # an earlier text may have been the reason
        return " ".join(phonemes for _, phonemes in clauses if phonemes)
