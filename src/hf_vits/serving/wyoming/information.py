"""Describe the voices of a Wyoming server, and find the one that a client names."""

from typing import Any

from wyoming.info import Attribution, Info, TtsProgram, TtsVoice, TtsVoiceSpeaker

import hf_vits
from hf_vits.serving.voice_pool import VoicePool
from hf_vits.utils.formatting import listed, quoted

PROGRAM = "hf_vits"
"""Name of the text-to-speech program in Home Assistant."""


def describe(pool: VoicePool) -> Info:
    """
    Return the program and its voices, with their languages and speakers, as `describe` is answered.

    Raises:
        OSError, ValueError: for a voice whose configuration or tokenizer cannot be read.
    """
    voices = [_voice(pool, name) for name in pool.names]
    program = TtsProgram(
        **_artifact(PROGRAM, "VITS voices"),
        version=hf_vits.__version__,
        voices=voices,
        supports_synthesize_streaming=True,
    )
    return Info(tts=[program])


def _voice(pool: VoicePool, name: str) -> TtsVoice:
    config = pool.config(name)
    names = config.speaker_names or [str(number) for number in range(config.num_speakers)]
    speakers = [TtsVoiceSpeaker(speaker) for speaker in names] if config.num_speakers > 1 else None
    languages = [language_tag(language) for language in pool.languages(name)]
    return TtsVoice(**_artifact(name, name), version=None, languages=languages, speakers=speakers)


def _artifact(name: str, description: str) -> dict[str, Any]:
    """Return what a program and a voice have in common."""
    return {
        "name": name,
        "description": description,
        "attribution": Attribution(name=PROGRAM, url=""),
        "installed": True,
    }


def language_tag(language: str) -> str:
    """Return a language of espeak-ng, such as "en-us", as Home Assistant writes it: "en-US"."""
    base, *rest = language.replace("_", "-").split("-")
    return "-".join([base.lower(), *(part.upper() if len(part) == 2 else part for part in rest)])


def choose_voice(pool: VoicePool, voice: dict[str, Any]) -> dict[str, Any]:
    """
    Return the voice, speaker and language of a [`SpeechRequest`] for the `voice` of an event.

    A name takes precedence over a language, which selects the first voice of exactly that language, else of another
    region of it. Without both, it is the first voice.

    Raises:
        UnknownVoiceError: for a name that is no voice.
        ValueError: for a language without a voice; lists those that have one.
    """
    name, language = voice.get("name"), voice.get("language")
    speaker = {"speaker": voice["speaker"]} if voice.get("speaker") else {}
    if name or not language:
        pool.find(name or pool.names[0])
        return {"voice": name or pool.names[0], **speaker}
    known = [(name, own) for name in pool.names for own in pool.languages(name)]
    for same in (language_tag, lambda tag: language_tag(tag).split("-")[0]):
        for name, own in known:
            if same(own) == same(language):
                several = pool.config(name).num_languages > 1
                return {"voice": name, **speaker, **({"language": own} if several else {})}
    tags = sorted({language_tag(own) for _, own in known})
    raise ValueError(f"There is no voice for the language {quoted(language)}. Languages are {listed(tags, 20)}.")
