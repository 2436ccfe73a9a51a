"""The page in a real browser: type, click, listen, watch; what goes wrong is said."""

import re
import subprocess
import threading
import time
from contextlib import ExitStack
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from browsers import played, until

from hf_vits.serving import SpeechRequest, VoicePool

pytest.importorskip("fastapi")
from http_server import serving

TEXT = "A bed is made. Deaf jam, a nap and a kid."
COMPLETE = "document.getElementById('download').hidden === false"
AT_REST = "document.getElementById('play').textContent === 'Play'"


class HeldPool(VoicePool):
    """Waits after the first chunk of a text until it is released, and may fail there."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.released, self.ended, self.error, self.chunks = threading.Event(), threading.Event(), None, 0

    def speak(self, *arguments):
        try:
            for number, chunk in enumerate(super().speak(*arguments)):
                if number:
                    assert self.released.wait(60)
                    if self.error:
                        raise self.error
                self.chunks += 1
                yield chunk
        finally:
            self.ended.set()


@pytest.fixture(scope="module")
def slow_pipe(make_pipe):
    """A tiny voice that speaks for some seconds."""
    return make_pipe(speaking_rate=0.1, sampling_rate=8000, upsample_rates=[8, 2], upsample_kernel_sizes=[16, 4])


@pytest.fixture
def serve():
    """Serves a pool -> the address."""
    with ExitStack() as stack:
        yield lambda pool, **options: f"http://127.0.0.1:{stack.enter_context(serving(pool, **options)).port}/"


@pytest.fixture
def pool(slow_pipe):
    return VoicePool({"tiny": slow_pipe})


@pytest.fixture
def held(slow_pipe):
    pool = HeldPool({"tiny": slow_pipe})
    yield pool
    pool.released.set()


def speak(page, text=TEXT, seed="7"):
    until(page, "document.getElementById('voice').length > 0")
    page.get_by_label("Text").fill(text)
    page.get_by_label("Seed").fill(seed)
    page.get_by_role("button", name="Speak").click()


def expected(pool, text=TEXT, **options):
    """Samples and words of the pool for what the page asks, and the rate."""
    noise = pool.config("tiny").noise_scale
    options = {"seed": 7, "noise_scale": noise, "timestamps": "word", **options}
    chunks = list(pool.speak(SpeechRequest(text, "tiny", **options)))
    words = [word for chunk in chunks for word in chunk["timestamps"]]
    return np.concatenate([chunk["audio"] for chunk in chunks]), words, chunks[0]["sampling_rate"]


def test_a_text_sounds_as_the_pool_speaks_it_without_a_gap(open_page, serve, pool):
    page = open_page(serve(pool))
    speak(page)
    until(page, COMPLETE)
    samples, _, rate = expected(pool)
    assert np.abs(played(page) - samples).max() < 2 / 32768
    parts = page.evaluate("notes.played.map(({at, rate, samples}) => [at, rate, at + samples.length / rate])")
    assert len(parts) > 3 and {part[1] for part in parts} == {rate}
    gaps = np.array([after[0] - before[2] for before, after in pairwise(parts)])
    assert (gaps > -1e-6).all() and (gaps < 1e-6).sum() > len(gaps) / 2  # a busy machine may be late at times
    until(page, "notes.peak > 0")
    status = page.get_by_role("status").inner_text()
    assert f"{len(samples) / rate:.1f} s of speech" in status and "Seed 7" in status


def test_it_plays_while_it_is_made(open_page, serve, held):
    page = open_page(serve(held))
    speak(page)
    until(page, "notes.peak > 0")
    first = len(played(page))
    assert page.get_by_role("status").inner_text() == "Speaking …" and page.locator("#download").is_hidden()
    held.released.set()
    until(page, COMPLETE)
    assert 0 < first < len(played(page))


def test_each_word_lights_up_at_its_time_in_its_place(open_page, serve, pool):
    page = open_page(serve(pool))
    speak(page)
    until(page, COMPLETE)
    until(page, AT_REST)
    _, words, _ = expected(pool)
    shown = []
    for word in words:
        middle = (word["start"] + word["end"]) / 2
        page.evaluate(
            "t => { const p = document.getElementById('position'); p.value = t; p.dispatchEvent(new Event('input')) }",
            middle,
        )
        shown.append(page.evaluate("[...document.getElementById('mirror').childNodes].map((n) => n.textContent)"))
    assert [mark for _, mark, _ in shown] == [word["text"] for word in words]
    places = [len(before) for before, _, _ in shown]
    assert places == [found.start() for found in re.finditer(r"\S+", TEXT)]


def test_playing_goes_on_at_the_place_that_was_chosen_and_after_the_end_at_the_beginning(open_page, serve, pool):
    page = open_page(serve(pool))
    speak(page)
    until(page, COMPLETE)
    until(page, AT_REST)
    whole = played(page)
    page.evaluate("notes.played.length = 0")
    page.get_by_role("button", name="Play").click()
    assert np.array_equal(played(page), whole)
    page.get_by_role("button", name="Pause").click()
    page.evaluate("notes.played.length = 0")
    page.get_by_role("slider", name="Position").fill("1")
    page.get_by_role("button", name="Play").click()
    assert np.array_equal(played(page), whole[8000:])


def test_words_light_up_one_after_the_other_while_it_plays(open_page, serve, pool):
    page = open_page(serve(pool))
    speak(page)
    until(page, COMPLETE)
    until(page, AT_REST, 60)
    marks = [mark["text"] for mark in page.evaluate("notes.marks")]
    words = TEXT.split()
    assert marks[0] == words[0] and marks[-1] == words[-1] and len(marks) > len(words) / 2
    places = [len(mark["before"]) for mark in page.evaluate("notes.marks")]
    assert places == sorted(places)
    assert page.locator("mark").count() == 0


def test_a_change_of_the_text_ends_the_highlight(open_page, serve, pool):
    page = open_page(serve(pool))
    speak(page)
    until(page, "document.querySelector('mark')")
    page.get_by_label("Text").press("End")
    page.keyboard.type("a")
    assert page.locator("mark").count() == 0


def test_stop_ends_the_work_and_keeps_what_arrived(open_page, serve, held):
    page = open_page(serve(held))
    speak(page)
    until(page, "notes.played.length > 0")
    page.get_by_role("button", name="Stop").click()
    until(page, COMPLETE)
    time.sleep(0.5)  # until the server notices
    held.released.set()
    assert held.ended.wait(30) and held.chunks < 4  # of 17
    assert page.get_by_role("status").inner_text() == "Stopped."
    assert page.get_by_role("button", name="Play", exact=True).is_visible()


def test_a_speaker_and_controls_are_used(open_page, serve, make_pipe, speakers, voiced):
    pool = VoicePool({"tiny": make_pipe(**speakers)})
    page = open_page(serve(pool))
    until(page, "document.getElementById('speaker').length === 3")
    page.get_by_label("Speaker").select_option("bea")
    page.get_by_label("Rate").fill("0.5")
    page.get_by_label("Pitch").fill("3.5")
    page.get_by_label("Noise").fill("0.25")
    speak(page)
    until(page, COMPLETE)
    samples, _, _ = expected(pool, speaker="bea", speed=0.5, noise_scale=0.25, pitch=3.5)
    assert np.abs(played(page) - samples).max() < 2 / 32768
    plain, _, _ = expected(pool, speaker="bea", speed=0.5, noise_scale=0.25)
    assert np.abs(plain - samples).max() > 0.01
    assert '"pitch": 3.5' in page.locator("#snippet").inner_text()
    page.get_by_role("tab", name="Python").click()
    assert re.search(r'extra_body=\{.*"pitch": 3.5', page.locator("#snippet").inner_text())


def test_the_file_holds_what_was_played(open_page, serve, pool, tmp_path):
    page = open_page(serve(pool))
    speak(page)
    until(page, COMPLETE)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download WAV").click()
    download.value.save_as(tmp_path / "speech.wav")
    samples, rate = soundfile.read(tmp_path / "speech.wav", dtype="float32")
    assert np.array_equal(samples, played(page)) and rate == pool.config("tiny").sampling_rate
    assert download.value.suggested_filename == "tiny-7.wav"


def test_curl_and_python_make_the_same_speech(open_page, serve, pool, tmp_path):
    page = open_page(serve(pool))
    speak(page, text='A nap\'s "end",\nmade.')
    until(page, COMPLETE)
    command = page.locator("#snippet").inner_text()
    subprocess.run(["bash", "-c", command.replace("curl ", "curl --silent --fail ")], cwd=tmp_path, check=True)
    assert np.abs(soundfile.read(tmp_path / "speech.wav")[0] - played(page)).max() < 2 / 32768
    pytest.importorskip("openai")
    page.get_by_role("tab", name="Python").click()
    (tmp_path / "speech.wav").unlink()
    program = page.locator("#snippet").inner_text().replace('"speech.wav"', repr(str(tmp_path / "speech.wav")))
    exec(compile(program, "snippet", "exec"), {})
    assert np.abs(soundfile.read(tmp_path / "speech.wav")[0] - played(page)).max() < 2 / 32768


@pytest.mark.parametrize(
    "text, seed, field, reason",
    [
        (" ", "", "Text", "Write something to speak first."),
        ("a" * 61, "", "Text", "The text has 61 characters; 60 are allowed."),
        (TEXT, "x", "Seed", "whole number"),
    ],
)
def test_a_mistake_is_named_beside_its_field(open_page, serve, pool, text, seed, field, reason):
    page = open_page(serve(pool, max_characters=60))
    speak(page, text, seed)
    box = page.get_by_label(field)
    assert box.get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == box.get_attribute("id")
    described = box.get_attribute("aria-describedby").split()[0]
    assert reason in page.locator(f"#{described}").inner_text()
    assert not page.evaluate("notes.played.length")
    box.fill("A nap." if field == "Text" else "5")
    assert page.locator(f"#{described}").is_hidden()


def error_of(page):
    until(page, "!document.getElementById('error').hidden")
    return page.get_by_role("alert").inner_text()


def test_a_text_that_cannot_be_spoken_is_an_error_with_the_reason_of_the_server(open_page, serve, pool):
    page = open_page(serve(pool))
    speak(page, "日本")
    assert "vocabulary" in error_of(page)


def test_a_full_server_says_when_to_try_again(open_page, serve, held):
    url = serve(held, max_jobs=1)
    first, second = open_page(url), open_page(url)
    speak(first)
    until(first, "notes.played.length > 0")
    speak(second)
    assert re.search(r"Try again in \d+ s", error_of(second))
    held.released.set()
    until(first, COMPLETE)
    second.get_by_role("button", name="Speak").click()
    until(second, COMPLETE)
    assert second.get_by_role("alert").count() == 0


def test_a_server_that_is_gone_is_named(open_page, serve, pool):
    page = open_page(serve(pool))
    until(page, "document.getElementById('voice').length > 0")
    page.route("**/v1/audio/speech", lambda route: route.abort("connectionrefused"))
    speak(page)
    assert "does not answer" in error_of(page)


def test_a_stream_without_its_end_is_an_error(open_page, serve, pool):
    page = open_page(serve(pool))
    until(page, "document.getElementById('voice').length > 0")
    event = 'data: {"type": "speech.audio.delta", "audio": "AAAB", "timestamps": []}\n\n'
    headers = {"Content-Type": "text/event-stream", "X-Sample-Rate": "8000"}
    page.route("**/v1/audio/speech", lambda route: route.fulfill(body=event, headers=headers))
    speak(page)
    assert "ended before the speech did" in error_of(page)
    assert len(played(page)) == 1


def test_what_arrived_before_a_failure_can_be_played(open_page, serve, held):
    held.error = RuntimeError("out of order")
    page = open_page(serve(held))
    speak(page)
    until(page, "notes.played.length > 0")
    held.released.set()
    assert "log of the server" in error_of(page)
    until(page, COMPLETE)
    assert len(played(page)) > 0


def test_a_server_with_a_key_asks_for_it(open_page, serve, pool):
    page = open_page(serve(pool, api_key="secret"))
    assert "API key" in error_of(page)
    page.get_by_label("API key").fill("secret")
    page.get_by_label("API key").press("Tab")
    until(page, "document.getElementById('voice').length > 0")
    speak(page)
    until(page, COMPLETE)
    code = page.locator("#snippet").inner_text()
    assert "$HF_VITS_API_KEY" in code and "secret" not in code
