"""The demo in a real browser, started by the program of a Space."""

import runpy
import shutil
import socket

import numpy as np
import pytest
import soundfile
from browsers import until

from hf_vits.serving import SpeechRequest, VoicePool
from hf_vits.serving.demo import appearance
from hf_vits.serving.space import write_space

TEXT = "A bed is made. Deaf jam, a nap and a kid."
SHOWN = "[...document.querySelectorAll('label')].some((label) => label.textContent.includes('seed 7'))"


@pytest.fixture(scope="module")
def pipe(make_pipe):
    return make_pipe(speaking_rate=0.1, sampling_rate=8000)


@pytest.fixture(scope="module")
def url(pipe, tmp_path_factory):
    """The address of a demo, which the program of a Space makes of a copied voice."""
    gradio = pytest.importorskip("gradio")
    voice = tmp_path_factory.mktemp("voices") / "tiny"
    pipe.model.save_pretrained(voice)
    pipe.tokenizer.save_pretrained(voice)
    space = write_space(voice, voice.parent / "space")
    shutil.rmtree(voice)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(space)
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        demo = runpy.run_path("app.py")["demo"]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_port=port, **appearance(gradio))
        yield url
        demo.close()


def speak(page, text=TEXT):
    page.get_by_label("Text").fill(text)
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="Speak").click()


def test_the_whole_speech_is_that_of_the_pool(open_page, url, pipe, tmp_path):
    page = open_page(url)
    speak(page)
    until(page, SHOWN, 60)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").last.click()
    download.value.save_as(tmp_path / "speech.wav")
    samples, rate = soundfile.read(tmp_path / "speech.wav", dtype="int16")
    noise = pipe.model.config.noise_scale
    request = SpeechRequest(TEXT, "tiny", seed=7, noise_scale=noise)
    expected = np.concatenate([chunk["audio"] for chunk in VoicePool({"tiny": pipe}).speak(request)])
    assert rate == 8000 and np.abs(samples / 32767 - expected).max() < 1 / 32767


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="Gradio streams with ffmpeg")
def test_it_plays_while_it_is_made(open_page, url):
    page = open_page(url)
    speak(page)
    until(page, "[...document.querySelectorAll('audio')].some((audio) => audio.currentTime > 0.1)", 60)


def test_a_mistake_is_shown(open_page, url):
    page = open_page(url)
    speak(page, " ")
    page.get_by_text("Write something to speak first.").wait_for()


def test_nothing_is_wider_than_a_window_of_320_pixels(open_page, url):
    page = open_page(url, viewport={"width": 320, "height": 640})
    speak(page)
    until(page, SHOWN, 60)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_keyboard_alone_is_enough(open_page, url):
    page = open_page(url)
    page.get_by_label("Text").wait_for()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.press("Control+a")
    page.keyboard.type("A nap.")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Speak":
            break
    page.keyboard.press("Enter")
    until(page, "[...document.querySelectorAll('label')].some((label) => label.textContent.includes('seed'))", 60)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_color_scheme(open_page, url, scheme):
    page = open_page(url, color_scheme=scheme)
    page.get_by_label("Text").wait_for()
    values = page.evaluate(
        """() => {
        const context = new OffscreenCanvas(1, 1).getContext("2d");
        context.fillStyle = getComputedStyle(document.querySelector("textarea")).color;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }"""
    )
    assert (min(values) > 128) is (scheme == "dark")  # letters


def test_nothing_is_fetched_from_elsewhere(open_page, url, browser):
    page = open_page("about:blank")
    addresses = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(url)
    page.get_by_label("Text").wait_for()
    assert addresses and not [address for address in addresses if not address.startswith((url, "data:", "blob:"))]
