"""What decides how the rows of a folder sound, in a form that can be compared with another run's."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.synthesis.settings import SynthesisSettings
from hf_vits.synthesis.survey import Survey
from hf_vits.voice_digest import voice_digest


def identity_of(settings: SynthesisSettings, pipe: TextToSpeechPipeline, found: Survey, texts: Iterable) -> dict:
    """Settings as they take effect, and digests of the voice, the texts, their symbols and who speaks them."""
    one, all_of_them = found.rows[0].speaker, _digest(str(row.speaker) for row in found.rows)
    return {
        "voice": voice_digest(pipe.model),
        "texts": _digest(str(text) for text in texts),
        "symbols of the texts": _digest(row.symbols.hex() for row in found.rows),
        "speaker": one if settings.speaker_column is None else f"those of digest {all_of_them}",
        **controls_of(settings, pipe),
        "pause": settings.pause,
        "seed": settings.seed,
    }


def controls_of(settings: SynthesisSettings, pipe: TextToSpeechPipeline) -> dict[str, Any]:
    """Controls of the model, those of the voice where none are set."""
    given = {name: getattr(settings, name) for name in ("speaking_rate", "noise_scale", "noise_scale_duration")}
    return {name: getattr(pipe.model.config, name) if value is None else value for name, value in given.items()}


def _digest(items: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(item).encode() + b"\n")
    return digest.hexdigest()[:12]
