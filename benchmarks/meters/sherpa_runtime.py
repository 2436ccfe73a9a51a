"""A voice of Piper's as sherpa-onnx speaks it: from phonemes, since it has no front end for text of its own any more.

Needs sherpa-onnx==2.0.1 and onnx.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

PACKAGES = {
    "sherpa_onnx": "sherpa-onnx",
    "onnx": "onnx",
}
"""What is imported, and what pip calls it."""

FRAME = "^_$"
"""Symbols that sherpa-onnx puts around phonemes and between them, as Piper does."""


def sherpa_voice(voice: Path, threads: int) -> Callable[[Sequence[int]], Sequence[float]]:
    """A voice in Piper's ONNX, with its JSON file beside it -> ids as Piper takes them to samples."""
    import sherpa_onnx

    about = json.loads(voice.with_name(voice.name + ".json").read_text(encoding="utf-8"))
    engine = _engine(voice, about, threads)
    codepoints = {ids[0]: ord(symbol) for symbol, ids in about["phoneme_id_map"].items() if symbol not in FRAME}

    def speak(ids: Sequence[int]) -> Sequence[float]:
        settings = sherpa_onnx.GenerationConfig()
        settings.phoneme_codepoints = [[codepoints[one] for one in ids if one in codepoints]]
        settings.silence_scale = 1.0  # otherwise it cuts pauses, and there is less speech than was computed
        return engine.generate("", settings).samples

    return speak


def _engine(voice: Path, about: dict, threads: int):
    """-> a `sherpa_onnx.OfflineTts`, which reads its files once."""
    import sherpa_onnx

    with tempfile.TemporaryDirectory() as folder:
        model, tokens = Path(folder) / "model.onnx", Path(folder) / "tokens.txt"
        _write_described(voice, about, model)
        symbols = about["phoneme_id_map"].items()
        tokens.write_text("".join(f"{symbol} {ids[0]}\n" for symbol, ids in symbols), encoding="utf-8")
        vits = sherpa_onnx.OfflineTtsVitsModelConfig(
            model=str(model),
            tokens=str(tokens),
            noise_scale=about["inference"]["noise_scale"],
            noise_scale_w=about["inference"]["noise_w"],
            length_scale=about["inference"]["length_scale"],
        )
        return sherpa_onnx.OfflineTts(
            sherpa_onnx.OfflineTtsConfig(model=sherpa_onnx.OfflineTtsModelConfig(vits=vits, num_threads=threads))
        )


def _write_described(voice: Path, about: dict, target: Path):
    """Copies a voice with the metadata that sherpa-onnx reads."""
    import onnx

    model = onnx.load(str(voice))
    described = {
        "model_type": "vits",
        "comment": "piper",
        "language": about["espeak"]["voice"],
        "voice": about["espeak"]["voice"],
        "has_espeak": 1,
        "n_speakers": about["num_speakers"],
        "sample_rate": about["audio"]["sample_rate"],
    }
    known = {entry.key for entry in model.metadata_props}
    for key, value in described.items():
        if key not in known:
            entry = model.metadata_props.add()
            entry.key, entry.value = key, str(value)
    onnx.save(model, str(target))
