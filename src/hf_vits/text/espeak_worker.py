"""Serve espeak-ng's phonemes over pipes, in a separate process because some texts crash it.

`hf_vits.text.espeak_process` runs this file as a script, with the path of the library and of its data as arguments. It
imports nothing of the package, so that it starts quickly.

A message is its length in bytes (4 bytes, little-endian) and that many bytes. A request is fields separated by null
bytes: the voice's names, separated by line feeds; espeak's phoneme mode; the texts. An empty request asks for the list
of voices. An answer begins with one of the bytes below.
"""

import ctypes
import os
import sys
import time

try:
    import resource
except ImportError:  # Windows
    import faulthandler

    resource = None

ANSWER, NO_VOICE, NO_LIBRARY = b"+", b"v", b"l"
UNUSABLE = (OSError, AttributeError, RuntimeError)  # raised by `Library`
_UTF8 = 1
_RETRIEVAL = 1  # audio output mode of espeak_Initialize that opens no sound device
_DO_NOT_EXIT = 0x8000  # else espeak-ng ends the process if its data is missing
_SECONDS, _SECONDS_PER_BYTE = 2.0, 1e-4  # limit of a request; espeak-ng takes about 2e-6 s per byte
_NOTHING = ctypes.create_string_buffer(b"")


class _Voice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p)]


class Library:
    """Load espeak-ng's shared library, which keeps its state in globals: one thread at a time.

    Raises:
        OSError or AttributeError: if the file is not a library, or not espeak-ng's.
        RuntimeError: if espeak-ng cannot read its data.
    """

    def __init__(self, path: str, data: str | None):
        self._library = ctypes.CDLL(path)
        if self._library.espeak_Initialize(_RETRIEVAL, 0, data.encode() if data else None, _DO_NOT_EXIT) <= 0:
            raise RuntimeError(f"its data folder {data} cannot be read")
        self._phonemes = self._library.espeak_TextToPhonemes
        self._phonemes.restype = ctypes.c_char_p
        self._phonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
        self._names: bytes | None = None  # of the current voice; setting one reads files

    def answer(self, request: bytes) -> bytes:
        """Return the answer to a request, both without their length."""
        if not request:
            return ANSWER + self._voices()
        names, mode, *texts = request.split(b"\0")
        if not self._set_voice(names):
            return NO_VOICE
        return ANSWER + b"\0".join(self._clauses(text, int(mode)) for text in texts)

    def _voices(self) -> bytes:
        """Return language, file and English name of every voice, one voice per line and parted by tabs; the best voice
        of a language comes first."""
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        voices, i, lines = self._library.espeak_ListVoices(None), 0, []
        while voices[i]:
            voice = voices[i].contents
            language = voice.languages[1:]  # the first byte is a priority
            lines.append(b"\t".join([language, voice.identifier, voice.name]))
            i += 1
        return b"\n".join(lines)

    def _set_voice(self, names: bytes) -> bool:
        """Set the first of these voices that exists; return False if none does."""
        if names != self._names:
            self._names = None  # a refused name may change the voice too
            if not any(self._library.espeak_SetVoiceByName(name) == 0 for name in names.split(b"\n")):
                return False
            self._names = names
        return True

    def _clauses(self, raw: bytes, mode: int) -> bytes:
        """Return "end phonemes" of each clause, one per line; `end` counts characters of the text."""
        buffer = ctypes.create_string_buffer(raw)
        base = ctypes.addressof(buffer)
        pointer, lines, start, characters, read_bytes = ctypes.c_void_p(base), [], 0, 0, 0
        while pointer.value:
            phonemes = self._phonemes(ctypes.byref(pointer), _UTF8, mode) or b""
            if pointer.value:  # espeak-ng has read one character of the next clause
                characters += len(raw[read_bytes : pointer.value - base].decode("utf-8", "ignore"))
                read_bytes = pointer.value - base
                start = max(start, characters - 1)
            else:
                start = characters + len(raw[read_bytes:].decode("utf-8", "ignore"))
            lines.append(b"%d %s" % (start, b" ".join(phonemes.split())))
        # Else the second full stop at the end of a text is pronounced at the beginning of the next text.
        self._phonemes(ctypes.byref(ctypes.c_void_p(ctypes.addressof(_NOTHING))), _UTF8, mode)
        return b"\n".join(lines)


def read(file: int) -> bytes | None:
    """Return the next message of a pipe, or None at its end. A second message is not written before an answer."""
    data = os.read(file, 65536)
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "little"):
        part = os.read(file, 1 << 20)
        if not part:
            return None
        data += part
    return data[4 : 4 + int.from_bytes(data[:4], "little")]


def write(file: int, message: bytes) -> None:
    """Write a message to a pipe."""
    data = len(message).to_bytes(4, "little") + message
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])


def _serve(library: Library, requests: int, answers: int) -> None:
    """Answer requests until the pipe is closed."""
    while (request := read(requests)) is not None:
        _limit_time(_SECONDS + _SECONDS_PER_BYTE * len(request))
        answer = library.answer(request)
        if resource is None:
            faulthandler.cancel_dump_traceback_later()
        write(answers, answer)


def _limit_time(seconds: float) -> None:
    """End the process after about so many more seconds: of processor time, where the system can limit that."""
    if resource is None:
        faulthandler.dump_traceback_later(seconds, exit=True)
        return
    least = time.process_time() + seconds
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if soft == resource.RLIM_INFINITY or soft < least:
        soft = int(least + seconds) + 1  # enough for some requests
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _disable_crash_reports() -> None:
    """Prevent core files and error windows after a crash."""
    if resource is None:
        ctypes.windll.kernel32.SetErrorMode(0x8003)
    else:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Serve the library named by the arguments, through standard input and output."""
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what the library prints must not reach the answers
    _disable_crash_reports()
    try:
        library = Library(sys.argv[1], sys.argv[2] or None)
    except UNUSABLE as error:
        write(answers, NO_LIBRARY + str(error).encode("utf-8", "replace"))
        return
    write(answers, ANSWER)
    _serve(library, requests, answers)
    os._exit(0)  # skips the shutdown of Python, which takes time


if __name__ == "__main__":
    main()
