"""A demo of one voice in Gradio, on this machine or as a Space: it plays a text while it is made."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_vits.conversion.resolve import resolve_voice, short_name
from hf_vits.hub.license import origin_of
from hf_vits.serving.voice_pool import SpeechRequest, VoicePool
from hf_vits.utils.formatting import quoted

if TYPE_CHECKING:
    import gradio

MAX_CHARACTERS = 4096
"""Longest text, as in OpenAI's API."""

SEGMENT = 1.0
"""Seconds of speech that are sent at once; each is a request of the browser."""

NAME = "voice"
"""Name of the voice in the pool, where the name of a folder might not be allowed."""

SAMPLE = "Type something here, and listen to it while it is being made."

ACCENT = "#0d9488"
"""Color of the part that was played, as that of buttons."""

SLIDER = 210
"""Width of a slider in pixels from which on its limits are shown whole."""

STYLE = "footer { display: none !important }"


def make_demo(voice: str | os.PathLike = "default", title: str | None = None) -> "gradio.Blocks":
    """
    Make a page with a text box, the controls of a voice, a player that begins while the speech is made, and the whole
    speech with its words as captions. Where ffmpeg is missing, which Gradio streams with, the whole speech alone.

    Args:
        voice (`str` or `PathLike`, *optional*, defaults to `"default"`):
            Folder, `"default"`, or name on the Hub; it is loaded now.
        title (`str`, *optional*):
            Heading of the page; by default the name of the voice.

    Returns:
        `gradio.Blocks`: call its `launch()`. In `gradio_client` the function is `/speak`.

    Raises:
        ImportError: without the extra `gradio`.
        OSError, ValueError: as loading a voice does.
    """
    gradio, voice = import_gradio(), os.fspath(voice)
    title, pool = title or short_name(voice), VoicePool({NAME: voice})
    license, can_stream = origin_of(resolve_voice(voice)).license_in_words, shutil.which("ffmpeg") is not None
    with pool.use(NAME) as pipe, gradio.Blocks(title=title, analytics_enabled=False) as blocks:
        gradio.Markdown(f"# {title}\n{pipe.sampling_rate:,} Hz. License: {license}.")
        text = gradio.Textbox(SAMPLE if _is_english(pool) else "", label="Text", lines=4, max_length=MAX_CHARACTERS)
        with gradio.Row():
            inputs = {"text": text, **_controls(gradio, pipe.model.config)}
        with gradio.Row():
            speak, stop = gradio.Button("Speak", variant="primary"), gradio.Button("Stop")
        live = gradio.Audio(label="While it is made", streaming=True, autoplay=True, visible=can_stream)
        colors = gradio.WaveformOptions(waveform_progress_color=ACCENT)
        speech = gradio.Audio(label="Speech", buttons=["download"], waveform_options=colors, visible=False)
        function = _function(gradio, pool, list(inputs), can_stream)
        run = gradio.on([speak.click, text.submit], function, list(inputs.values()), [live, speech], api_name="speak")
        stop.click(None, cancels=[run])
    return blocks.queue(max_size=32)


def import_gradio() -> Any:
    """Return the package; `ImportError` that names the extra if it is missing."""
    try:
        import gradio
    except ImportError as error:
        raise ImportError('The demo needs Gradio: pip install -e ".[gradio]" in a clone of hf_vits.') from error
    return gradio


def appearance(gradio: Any) -> dict[str, Any]:
    """Return the arguments of `launch` for a theme whose fonts are those of the system."""
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return {"theme": gradio.themes.Base(primary_hue="teal", neutral_hue="slate", **fonts), "css": STYLE}


def _controls(gradio: Any, config: Any) -> dict[str, Any]:
    """Return the components of the arguments of a [`SpeechRequest`]; those without a choice are not shown."""
    return {
        "speaker": _choice(gradio, "Speaker", config.speaker_names, config.num_speakers),
        "language": _choice(gradio, "Language", config.language_names, config.num_languages),
        "speed": gradio.Slider(0.5, 2, 1, step=0.05, label="Rate", min_width=SLIDER),
        "pitch": gradio.Slider(-12, 12, 0, step=0.5, label="Pitch", min_width=SLIDER),
        "noise_scale": gradio.Slider(0, 1, config.noise_scale, step=0.001, label="Noise", min_width=SLIDER),
        "seed": gradio.Textbox(label="Seed", placeholder="random", max_length=15),
    }


def _choice(gradio: Any, label: str, names: Sequence[str] | None, number: int) -> Any:
    choices = list(names or map(str, range(number)))
    return gradio.Dropdown(choices, value=choices[0], label=label, visible=number > 1)


def _is_english(pool: VoicePool) -> bool:
    return any(language.startswith("en") for language in pool.languages(NAME))


def _function(gradio: Any, pool: VoicePool, arguments: Sequence[str], is_streaming: bool):
    """Return the function that Gradio calls with the values of the components, in the order of `arguments`."""

    def speak(*values):
        given = dict(zip(arguments, values, strict=True))
        try:
            request = _request(**given)
            parts, words = [], []
            for rate, samples, timestamps in _segments(pool.speak(request)):
                parts.append(samples)
                words += timestamps
                if is_streaming:
                    yield (rate, samples), gradio.skip()
        except ValueError as error:
            raise gradio.Error(str(error), print_exception=False) from error
        captions = [{"text": word["text"], "timestamp": [word["start"], word["end"]]} for word in words]
        whole = (rate, np.concatenate(parts))
        yield None, gradio.Audio(whole, subtitles=captions, visible=True, label=f"Speech, seed {request.seed}")

    return speak


def _request(text: str, seed: str, pitch: float, **controls: Any) -> SpeechRequest:
    """Return the request of the values of the components; `ValueError` for a text or seed that is none."""
    if not text.strip():
        raise ValueError("Write something to speak first.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"The text has {len(text):,} characters; {MAX_CHARACTERS:,} are allowed.")
    if seed.strip() and not seed.strip().isdecimal():
        raise ValueError(f"The seed is {quoted(seed)}; it must be a whole number, or empty.")
    number = int(seed) if seed.strip() else secrets.randbelow(10**6)
    return SpeechRequest(text, voice=NAME, seed=number, timestamps="word", pitch=pitch or None, **controls)


def _segments(chunks: Iterator[dict[str, Any]]) -> Iterator[tuple[int, np.ndarray, list]]:
    """Join chunks to segments of a second: rate in hertz, samples int16, words. Gradio scales the peak of each float
    array to 1, and leaves integers as they are."""
    waiting, words, rate = [], [], 0
    for chunk in chunks:
        rate = chunk["sampling_rate"]
        waiting.append((np.clip(chunk["audio"], -1, 1) * 32767).round().astype(np.int16))
        words += chunk["timestamps"]
        if sum(map(len, waiting)) >= SEGMENT * rate:
            yield rate, np.concatenate(waiting), words
            waiting, words = [], []
    if waiting:
        yield rate, np.concatenate(waiting), words
