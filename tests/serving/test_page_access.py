"""The page for everybody: a narrow window, the keyboard alone, dark colors, screen readers, no motion."""

import re

import pytest
from browsers import until

pytest.importorskip("fastapi")
from http_server import serving

from hf_vits.serving import VoicePool

TEXT = "A bed is made. Deaf jam, a nap and a kid."
COMPLETE = "document.getElementById('download').hidden === false"

CONTRAST = """() => {
  const color = (text) => {
    const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const found = color(getComputedStyle(element).backgroundColor);
      if (found[3]) return found;
    }
    return [255, 255, 255, 255];
  };
  const shown = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && !["OPTION", "CANVAS"].includes(element.tagName) && element.type !== "range" &&
    !element.closest("#mirror") &&
    ([...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) || element.value));
  return shown.map((element) => {
    const pair = [color(getComputedStyle(element).color), behind(element)].map(([r, g, b]) => luminance([r, g, b]));
    return [element.id || element.tagName, (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)];
  });
}"""
"""The contrast of each text with what is behind it, as WCAG 2 defines it."""


@pytest.fixture(scope="module")
def url(make_pipe):
    speakers = {"num_speakers": 2, "speaker_embedding_size": 6, "speaker_names": ["ada", "bea" * 30]}
    longer = {"upsample_rates": [8, 2], "upsample_kernel_sizes": [16, 4]}
    pipe = make_pipe(**speakers, **longer, speaking_rate=0.1, sampling_rate=8000)
    with serving(VoicePool({"tiny": pipe})) as server:
        yield f"http://127.0.0.1:{server.port}/"


def speak(page, text=TEXT):
    until(page, "document.getElementById('voice').length > 0")
    page.get_by_label("Text").fill(text)
    page.get_by_role("button", name="Speak").click()
    until(page, COMPLETE)


def test_nothing_is_wider_than_a_window_of_320_pixels(open_page, url):
    page = open_page(url, viewport={"width": 320, "height": 640})
    speak(page, "a" * 300 + " " + TEXT)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    edges = page.evaluate(
        """[...document.querySelectorAll("button, input, select, textarea, a, canvas, pre")]
        .filter((element) => element.checkVisibility()).map((element) => element.getBoundingClientRect())
        .map(({ left, right }) => [left, right])"""
    )
    assert len(edges) > 12 and all(left >= 0 and right <= 320 for left, right in edges)


def test_everything_can_be_done_with_the_keyboard(open_page, url):
    page = open_page(url)
    until(page, "document.getElementById('voice').length > 0")

    def focus():
        return page.evaluate("document.activeElement.id")

    def go_to(name):
        for _ in range(30):
            page.keyboard.press("Tab")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none" or focus() in ("", "position"), f"{focus()} shows no focus"
            if focus() == name:
                return
        raise AssertionError(f"Tab does not reach {name}")

    go_to("text")
    page.keyboard.type(TEXT)
    go_to("speaker")
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("Speaker").input_value().startswith("bea")
    go_to("speed")
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("Rate").input_value() == "1.05"
    go_to("pitch")
    page.keyboard.press("ArrowLeft")
    assert page.get_by_label("Pitch").input_value() == "-0.5"
    go_to("seed")
    page.keyboard.type("7")
    page.keyboard.press("Control+Enter")
    until(page, COMPLETE)
    until(page, "document.getElementById('play').textContent === 'Play'")
    go_to("position")
    page.keyboard.press("End")
    assert page.evaluate("document.querySelector('#pictures').matches(':has(:focus-visible)')")
    page.keyboard.press("Home")
    go_to("play")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('mark')")
    page.keyboard.press("Escape")
    until(page, "document.getElementById('play').textContent === 'Play'")
    assert page.evaluate("(({ value, max }) => value < 0.9 * max)(document.getElementById('position'))")
    go_to("download")
    go_to("tab-curl")
    page.keyboard.press("ArrowRight")
    assert focus() == "tab-python" and "OpenAI(" in page.locator("#snippet").inner_text()
    go_to("copy")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_in_both_color_schemes(open_page, url, scheme):
    page = open_page(url, color_scheme=scheme)
    speak(page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # the colors of the button fade
    contrasts = page.evaluate(CONTRAST)
    assert len(contrasts) > 15
    assert not [(name, round(value, 2)) for name, value in contrasts if value < 4.5]
    page.evaluate("document.getElementById('text').style.backgroundColor = 'var(--mark)'")  # as behind a spoken word
    assert dict(page.evaluate(CONTRAST))["text"] >= 4.5
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", background))) < 64) is (scheme == "dark")


def test_nothing_moves_for_those_who_want_no_motion(open_page, url):
    times = "new Set([...document.querySelectorAll('*')].map((e) => getComputedStyle(e).transitionDuration))"
    still = open_page(url, reduced_motion="reduce")
    assert still.evaluate(f"[...{times}]") == ["0s"]
    assert len(open_page(url, reduced_motion="no-preference").evaluate(f"[...{times}]")) > 1


def test_screen_readers_get_a_name_and_state_for_everything(open_page, url):
    page = open_page(url)
    speak(page)
    for role, name in (
        ("textbox", "Text"),
        ("combobox", "Voice"),
        ("combobox", "Speaker"),
        ("slider", "Rate"),
        ("slider", "Pitch"),
        ("slider", "Noise"),
        ("textbox", "Seed"),
        ("button", "Speak"),
        ("slider", "Position"),
        ("link", "Download WAV"),
        ("tab", "curl"),
        ("img", "Waveform of “A bed"),
        ("img", "Mel spectrogram"),
    ):
        assert page.get_by_role(role, name=name).count() == 1, (role, name)
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, input, select, textarea, a, canvas")]
        .filter((e) => e.checkVisibility() && !(e.labels?.length || e.ariaLabel || e.textContent.trim()))"""
    )
    assert not unnamed
    assert page.get_by_role("slider", name="Rate").get_attribute("aria-valuetext") == "1.00×"
    assert page.get_by_role("slider", name="Pitch").get_attribute("aria-valuetext") == "0.0 semitones"
    assert page.get_by_role("status").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en" and page.get_by_role("heading", level=1).count() == 1
