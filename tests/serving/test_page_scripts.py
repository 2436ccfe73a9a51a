"""The scripts of the page on their own, against numpy, librosa, soundfile, and the rules of server-sent events."""

import base64
import io
import json
import shlex

import numpy as np
import pytest
import soundfile

pytest.importorskip("starlette")
from browsers import served
from starlette.applications import Starlette

from hf_vits.serving.page import add_page

RATE = 22_050


@pytest.fixture(scope="module")
def url():
    app = Starlette()
    add_page(app)
    with served(app) as url:
        yield url


@pytest.fixture
def run(open_page, url):
    """Runs the body of an async function whose modules are those of the page -> its result."""
    page = open_page(url)
    names = ("api", "highlight", "mel", "player", "snippets")
    modules = "".join(f"const {name} = await import('/page/{name}.js');" for name in names)
    return lambda body, argument=None: page.evaluate(f"async (given) => {{ {modules} {body} }}", argument)


def test_the_power_spectrum_is_that_of_numpy(run):
    samples = np.random.default_rng(3).uniform(-1, 1, 1024).astype(np.float32)
    found = run("return [...mel.powerSpectrum(Float32Array.from(given))]", samples.tolist())
    window = np.hanning(1025)[:-1]
    expected = (np.abs(np.fft.rfft(samples * window)) * 4 / 1024) ** 2
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_sine_of_full_scale_has_zero_decibels_at_its_frequency(run):
    samples = np.sin(2 * np.pi * 100 * np.arange(1024) / 1024)
    found = run("return [...mel.powerSpectrum(Float32Array.from(given))]", samples.tolist())
    assert np.argmax(found) == 100 and found[100] == pytest.approx(1, abs=1e-6)


def test_the_filters_are_those_of_librosa(run):
    librosa = pytest.importorskip("librosa")
    found = run("return mel.filterbank(given).map(({ first, weights }) => [first, [...weights]])", RATE)
    expected = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=64, htk=True, norm=None)
    for (first, weights), row in zip(found, expected, strict=True):
        dense = np.zeros(513)
        dense[first : first + len(weights)] = weights
        if row.any():  # librosa leaves filters between two frequencies empty
            np.testing.assert_allclose(dense, row, atol=1e-3)
        assert dense.any()


def test_parts_of_any_length_give_the_frames_of_the_whole(run):
    samples = np.random.default_rng(5).uniform(-1, 1, 5000).tolist()
    body = """const whole = new mel.Mel(22050), parts = new mel.Mel(22050), all = Float32Array.from(given);
    whole.append(all);
    for (let i = 0, n = 1; i < all.length; i += n, n = 3 * n + 1) parts.append(all.subarray(i, i + n));
    return [whole, parts].map(({ frames }) => frames.map((frame) => [...frame]));"""
    whole, parts = run(body, samples)
    assert whole == parts and len(whole) == 1 + (5000 - 1024) // 256


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_the_same_wherever_their_bytes_are_divided(run, size):
    text = 'data: {"a": "é😀"}\n\n: a comment\n\nevent: x\r\ndata: {"b":\r\ndata: 2}\r\n\r\ndata: [DONE]\n\n'
    parts = [list(text.encode()[start : start + size]) for start in range(0, len(text.encode()), size)]
    body = """const found = [], source = { start(controller) {
      for (const part of given) controller.enqueue(Uint8Array.from(part));
      controller.close();
    } };
    for await (const event of api.events(new ReadableStream(source))) found.push(event);
    return found;"""
    assert run(body, parts) == [{"a": "é😀"}, {"b": 2}]


def test_samples_keep_their_values_from_the_server_to_the_file(run):
    values = np.array([0, 1, -1, 32767, -32768, 12345], "<i2")
    body = """const samples = api.samplesOf(given);
    const file = player.wav([{ samples }], samples.length, 22050);
    return [[...samples], [...new Uint8Array(await file.arrayBuffer())]];"""
    samples, file = run(body, base64.b64encode(values.tobytes()).decode())
    assert np.array_equal(samples, values / 32768)
    read, rate = soundfile.read(io.BytesIO(bytes(file)), dtype="int16")
    assert np.array_equal(read, values) and rate == 22050


@pytest.mark.parametrize("text", ['It\'s "here".', "a\\b\n$HOME `x` é 😀", "'''", "true None"])
def test_code_quotes_every_text(run, text):
    body = "return [snippets.curl('http://h', given, false), snippets.python('http://h', given, false)]"
    request = {"model": "v", "voice": "v", "input": text, "response_format": "pcm", "speed": 1, "seed": 3}
    curl, python = run(body, request | {"stream_format": "sse", "timestamps": "word"})
    words = shlex.split(curl)
    sent = json.loads(words[words.index("--data") + 1])
    assert sent == request | {"response_format": "wav"} and "http://h/v1/audio/speech" in words
    start = python.index("create(") + len("create")
    names = eval("dict" + python[start : python.index(" as response")])
    assert names.pop("extra_body") == {"seed": 3}
    assert names == {key: value for key, value in sent.items() if key != "seed"}


def test_words_are_found_in_the_text_one_after_the_other(run):
    body = """const [text, mirror] = ["text", "mirror"].map((id) => document.getElementById(id));
    const words = new highlight.Highlight(text, mirror);
    words.begin(given.text);
    for (const word of given.words) words.append([word]);
    return words.words.map(({ from, to }) => [from, to]);"""
    words = [{"text": text, "start": i, "end": i + 1} for i, text in enumerate(["the", "the.", "lost", "The", "the"])]
    found = run(body, {"text": "the  the.\nThe other the", "words": words})
    assert found == [[0, 3], [5, 9], [10, 13], [15, 18]]
