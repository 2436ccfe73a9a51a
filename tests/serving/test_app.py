"""Answers of a real server to the official client and to plain HTTP."""

import base64
import http.client
import io
import json
import re
import runpy
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from http_server import GatedPipe, ask, pool_of, serving, wait_until

from hf_vits.serving import VoicePool
from hf_vits.serving.encoders import AUDIO_FORMATS

ROOT = Path(__file__).parents[2]

WORDS = ["a", "bed", "jam", "kid", "nap", "deaf", "lion", "mop", "goal", "flip"]


def text_of(words):
    """Sentences of one to nine words."""
    parts, length = [], 0
    for number in range(words):
        length += 1
        end = "." if length % (1 + (number * 7) % 9) == 0 or number == words - 1 else ""
        parts.append((WORDS[number * 3 % 10] if length > 1 else WORDS[number % 10].capitalize()) + end)
        length = 0 if end else length
    return " ".join(parts)


@pytest.fixture(scope="module")
def pool(make_pipe, speakers_of_all):
    voices = {"tiny": make_pipe(), "three": make_pipe(**speakers_of_all)}
    return VoicePool(voices, aliases={"nova": "three"})


@pytest.fixture(scope="module")
def server(pool):
    with serving(pool) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    openai = pytest.importorskip("openai")
    return openai.OpenAI(base_url=server.url, api_key="-", max_retries=0)


def expected(pool, text, seed, voice="tiny", **options):
    with pool.use(voice) as pipe:
        return pipe(text, generator=torch.Generator().manual_seed(seed), **options)["audio"]


def close_to(samples, sound):
    """To half a step of 16 bits; one more for the difference of chunks and whole in float32."""
    return len(samples) == len(sound) and np.abs(samples - np.clip(sound, -1, 1)).max() < 0.6 / 32767


@pytest.mark.parametrize("words", [1, 30])
def test_the_official_client_gets_the_samples_of_the_pipeline_whole_and_streamed(client, pool, words):
    text = text_of(words)
    sound = expected(pool, text, words)
    for name in ("wav", "pcm", "flac"):
        request = {"model": "tiny", "voice": "tiny", "input": text, "response_format": name}
        whole = client.audio.speech.create(**request, extra_body={"seed": words, "stream": False})
        assert int(whole.response.headers["content-length"]) == len(whole.content)
        streamed = bytearray()
        with client.audio.speech.with_streaming_response.create(**request, extra_body={"seed": words}) as answer:
            assert ("content-length" in answer.headers) == (name == "flac")
            for block in answer.iter_bytes(1_000):
                streamed += block
        for data in (whole.content, bytes(streamed)):
            if name == "pcm":
                assert close_to(np.frombuffer(data, "<i2") / 32767, sound)
            else:
                samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
                assert rate == 16_000 and close_to(samples / 32767, sound)


@pytest.mark.parametrize("name", ["mp3", "opus"])
def test_lossy_formats_hold_the_whole_sound(client, pool, name):
    sound = expected(pool, text_of(15), 3)
    for stream in (True, False):
        data = client.audio.speech.create(
            model="tts-1",
            voice="tiny",
            input=text_of(15),
            response_format=name,
            extra_body={"seed": 3, "stream": stream},
        ).content
        samples, rate = soundfile.read(io.BytesIO(data))
        assert rate == 16_000 and len(samples) >= len(sound)
        assert len(samples) - len(sound) <= (0.011 * rate if name == "opus" else 3_000 if stream else 0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_200_texts_of_1_to_2000_words_are_complete_in_every_format(pipe, tmp_path, monkeypatch):
    pytest.importorskip("openai")
    pipe.save_pretrained(tmp_path / "tiny")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setattr("sys.argv", ["client_audio.py", "--voice", str(tmp_path / "tiny"), "--texts", "200"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "benchmarks" / "client_audio.py"), run_name="__main__")
    assert ended.value.code == 0


def test_mp3_is_the_default_and_every_field_of_the_official_client_is_taken(client):
    answer = client.audio.speech.create(
        model="gpt-4o-mini-tts", voice={"id": "nova"}, input="a bed.", instructions="Be kind.", speed=1.25
    )
    headers = answer.response.headers
    assert headers["content-type"] == "audio/mpeg" and headers["x-voice"] == "three"
    assert headers["x-unused-fields"] == "instructions"
    assert soundfile.info(io.BytesIO(answer.content)).format == "MP3"


def test_the_seed_in_the_answer_repeats_it_and_other_controls_reach_the_voice(server, pool, voiced):
    fields = {"response_format": "pcm", "voice": "tiny", "input": text_of(12)}
    _, headers, first = ask(server.port, **fields)
    seed = int(headers["X-Seed"])
    assert ask(server.port, **fields, seed=seed)[2] == first != ask(server.port, **fields, seed=seed + 1)[2]
    options = {"noise_scale": 0.2, "noise_scale_duration": 0.1, "pause": 0.5, "pitch": 4.0}
    plain = expected(pool, text_of(12), 4, speaking_rate=2.0, **options | {"pitch": None})
    data = ask(server.port, **fields, **options, seed=4, speed=2)[2]
    sound = expected(pool, text_of(12), 4, speaking_rate=2.0, **options)
    assert close_to(np.frombuffer(data, "<i2") / 32767, sound) and not close_to(plain, sound)
    data = ask(server.port, **fields | {"voice": "three:cem"}, seed=4)[2]
    assert close_to(np.frombuffer(data, "<i2") / 32767, expected(pool, text_of(12), 4, "three", speaker_id="cem"))
    assert ask(server.port, **fields | {"voice": "three"}, speaker="cem", seed=4)[2] == data


@pytest.mark.parametrize(
    ("model", "voice", "name"),
    [("tts-1", "alloy", "tiny"), ("three", "alloy", "three"), ("three", "tiny", "tiny"), ("tts-1-hd", "nova", "three")],
)
def test_names_of_openai_stand_for_the_model_or_the_first_voice(server, model, voice, name):
    assert ask(server.port, model=model, voice=voice)[1]["X-Voice"] == name


def events(data):
    blocks = [block for block in data.decode().split("\n\n") if block]
    assert all(block.startswith("data: ") for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


@pytest.mark.parametrize("units", ["word", True, ["word", "phoneme"]])
def test_events_carry_chunks_and_the_times_of_what_begins_in_them(server, pool, units):
    text = text_of(30)
    fields = {"voice": "tiny", "input": text, "response_format": "pcm", "seed": 2, "timestamps": units}
    status, headers, data = ask(server.port, **fields, stream_format="sse")
    *deltas, done = events(data)
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream") and len(deltas) > 3
    with pool.use("tiny") as pipe:
        whole = pipe(text, generator=torch.Generator().manual_seed(2), return_timestamps=units)
    audio = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    assert close_to(np.frombuffer(audio, "<i2") / 32767, whole["audio"])
    names = whole["timestamps"] if isinstance(whole["timestamps"], dict) else [None]
    for name in names:
        lists = [delta["timestamps"] if name is None else delta["timestamps"][name] for delta in deltas]
        wanted = whole["timestamps"] if name is None else whole["timestamps"][name]
        assert [time for times in lists for time in times] == wanted
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["input_tokens"] == len(text) and done["usage"]["total_tokens"] > len(text)


def test_timestamps_without_events_come_as_json_beside_the_file(server, pool):
    fields = {"voice": "tiny", "input": text_of(9), "seed": 1, "response_format": "wav", "timestamps": "word"}
    status, headers, data = ask(server.port, **fields)
    answer = json.loads(data)
    assert status == 200 and int(headers["Content-Length"]) == len(data)
    assert [time["text"].strip(".") for time in answer["timestamps"]] == text_of(9).replace(".", "").split()
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(answer["audio"])), dtype="int16")
    assert close_to(samples / 32767, expected(pool, text_of(9), 1))


def test_a_sampling_rate_can_be_asked_for(server):
    fields = {"voice": "tiny", "response_format": "wav", "stream": False, "seed": 1, "input": text_of(20)}
    plain, other = (
        soundfile.read(io.BytesIO(ask(server.port, **fields, **more)[2])) for more in ({}, {"sample_rate": 24_000})
    )
    assert other[1] == 24_000 and len(other[0]) == round(len(plain[0]) * 24 / 16)


def test_the_first_bytes_come_after_the_first_chunk_and_an_answer_ends_with_the_last(client_of):
    pipe = GatedPipe(chunks=3)
    with client_of(pipe) as (server, connection):
        body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "x", "response_format": "wav"})
        connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
        pipe.allow(1)
        answer = connection.getresponse()
        assert answer.read(44 + 3_200)[44:46] == np.int16(328).tobytes()  # the second chunk is not made yet
        pipe.allow(2)
        assert len(answer.read()) == 2 * 3_200 and answer.isclosed()


def test_a_client_that_leaves_ends_its_work(client_of):
    pipe = GatedPipe(chunks=10**6)
    with client_of(pipe) as (server, connection):
        for fields in ({"response_format": "pcm"}, {"response_format": "wav", "stream": False}):
            pipe.closed.clear()
            body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "x", **fields})
            connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
            pipe.allow(3)
            wait_until(lambda: server.scheduler.jobs == 1)
            if "stream" not in fields:
                assert connection.getresponse().read(100)
            connection.close()
            for _ in range(3_000):
                pipe.allow(1)
                if pipe.closed.wait(0.01):
                    break
            wait_until(lambda: server.scheduler.jobs == 0)
            assert pipe.closed.is_set()
        assert b'outcome="disconnected"} 2.0' in ask(server.port, "GET", "/metrics")[2]


def test_a_client_that_does_not_read_is_left_after_a_time():
    pipe = GatedPipe(chunks=10**6)
    pipe.allow()
    with serving(pool_of(pipe), stall_seconds=0.5) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "x", "response_format": "pcm"})
        connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
        assert connection.getresponse().read(10)
        wait_until(lambda: server.scheduler.jobs == 0)
        assert pipe.closed.wait(30)
        wait_until(lambda: b'outcome="stalled"} 1.0' in ask(server.port, "GET", "/metrics")[2])
        connection.close()


@pytest.fixture
def client_of():
    from contextlib import contextmanager

    @contextmanager
    def connect(pipe, **options):
        with serving(pool_of(pipe), **options) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            try:
                yield server, connection
            finally:
                pipe.allow()
                connection.close()

    return connect


def test_a_full_queue_answers_429_and_says_when_to_come_back(client_of):
    pipe = GatedPipe(chunks=1)
    with client_of(pipe, max_jobs=2, workers=1) as (server, _):
        others = [threading.Thread(target=ask, args=(server.port,)) for _ in range(2)]
        [thread.start() for thread in others]
        wait_until(lambda: server.scheduler.jobs == 2)
        status, headers, data = ask(server.port)
        error = json.loads(data)["error"]
        assert status == 429 and 1 <= int(headers["Retry-After"]) <= 60
        assert error["type"] == "rate_limit_error" and error["code"] == "queue_full" and error["message"]
        pipe.allow(10)
        [thread.join(30) for thread in others]
        assert ask(server.port)[0] == 200
        assert b'outcome="queue_full"} 1.0' in ask(server.port, "GET", "/metrics")[2]


def test_whole_files_hold_a_bounded_memory_together_and_streams_none(client_of):
    pipe = GatedPipe(chunks=10)  # 32,000 bytes
    pipe.allow()
    whole = {"response_format": "wav", "stream": False}
    with client_of(pipe, max_whole_bytes=40_000) as (server, _):
        held = server.app.state.held
        assert ask(server.port, **whole)[0] == 200
        wait_until(lambda: held.size == 0)
        for fields in (whole, {"response_format": "flac"}, {"response_format": "pcm", "timestamps": "word"}):
            held.size = 20_000  # of others
            status, headers, data = ask(server.port, **fields)
            assert status == 429 and int(headers["Retry-After"]) > 0 and b"`stream: true`" in data
            wait_until(lambda: held.size == 20_000)
            held.size, held.most = 0, 31_000
            status, _, data = ask(server.port, **fields)
            assert status == 400 and b"longer than a whole file may be, 1 s" in data
            wait_until(lambda: held.size == 0)
            held.most = 40_000
        assert len(ask(server.port, response_format="pcm")[2]) == 32_000


def test_pauses_cannot_fill_the_memory(pool):
    with serving(pool, max_whole_bytes=10_000_000) as server:
        status, _, data = ask(server.port, input="a bed. " * 2_000, pause=60, response_format="wav", stream=False)
    assert status == 400 and b"longer than a whole file may be" in data


def test_answers_finish_when_the_server_is_stopped_and_later_ones_are_refused():
    pipe = GatedPipe(chunks=4)
    answers = []
    with serving(pool_of(pipe), grace=20) as server:
        thread = threading.Thread(target=lambda: answers.append(ask(server.port, response_format="pcm")))
        thread.start()
        pipe.allow(1)
        wait_until(lambda: server.scheduler.jobs == 1)
        server.server.should_exit = True
        pipe.allow(3)
        thread.join(30)
    assert answers[0][0] == 200 and len(answers[0][2]) == 4 * 3_200
    assert server.scheduler.is_closing


@pytest.mark.thorough
def test_an_answer_that_does_not_end_in_the_time_of_grace_is_visibly_incomplete():
    pipe = GatedPipe(chunks=10**6)
    with serving(pool_of(pipe), grace=1) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "x", "response_format": "pcm"})
        connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
        pipe.allow(1)
        answer = connection.getresponse()
        assert answer.read(3_200)
        server.server.should_exit = True
        threading.Timer(1.5, pipe.allow).start()
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
    assert pipe.closed.wait(30)


def test_a_key_is_needed_where_one_is_set_and_compared_as_a_whole(pool):
    with serving(pool, api_key="sesame") as server:
        for given in (None, "Bearer", "Bearer sesam", "Bearer sesame2", "Basic sesame", "sesame", "Bearer \xff"):
            for method, path in (("POST", "/v1/audio/speech"), ("GET", "/v1/models"), ("GET", "/metrics")):
                headers = {} if given is None else {"Authorization": given}
                status, _, data = ask(server.port, method, path, headers=headers)
                assert status == 401 and json.loads(data)["error"]["code"] == "invalid_api_key"
        assert ask(server.port, headers={"Authorization": "Bearer sesame"})[0] == 200
        assert ask(server.port, "GET", "/v1/models", headers={"Authorization": "bearer sesame"})[0] == 200
        assert ask(server.port, "GET", "/health")[0] == 200


def test_pages_of_other_origins_may_use_the_server_only_if_allowed(server, pool):
    origin, asked = {"Origin": "https://page.example"}, {"Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in ask(server.port, headers=origin)[1]
    assert ask(server.port, "OPTIONS", "/v1/audio/speech", headers=origin | asked)[0] == 405
    with serving(pool, cors_origins=("https://page.example",)) as open_server:
        assert ask(open_server.port, headers=origin)[1]["Access-Control-Allow-Origin"] == "https://page.example"
        asked |= {"Access-Control-Request-Headers": "authorization, content-type"}
        assert ask(open_server.port, "OPTIONS", "/v1/audio/speech", headers=origin | asked)[0] == 200
        other = {"Origin": "https://other.example"}
        assert "Access-Control-Allow-Origin" not in ask(open_server.port, headers=other)[1]


def test_lists_and_states_are_there(server, client):
    assert [model.id for model in client.models.list()][:2] == ["tiny", "three"]
    assert client.models.retrieve("nova").id == "nova"
    assert ask(server.port, "GET", "/v1/models/nobody")[0] == 404
    voices = json.loads(ask(server.port, "GET", "/v1/audio/voices")[2])
    assert [voice["id"] for voice in voices["voices"]] == ["tiny", "three", "three:ada", "three:bea", "three:cem"]
    assert voices["voices"][1]["aliases"] == ["nova"] and "wav" in voices["formats"]
    assert "alloy" in voices["default_names"] and "nova" not in voices["default_names"]
    schemas = json.loads(ask(server.port, "GET", "/openapi.json")[2])["components"]["schemas"]
    fields = schemas["SpeechBody"]["properties"]
    assert all(field["description"] for field in fields.values()) and "Semitones" in fields["pitch"]["description"]
    health = json.loads(ask(server.port, "GET", "/health")[2])
    assert health["status"] == "ok" and health["jobs"] == 0 and health["max_jobs"] == 64
    lines = ask(server.port, "GET", "/metrics")[2].decode().splitlines()
    assert any(line.startswith("hf_vits_first_chunk_seconds_count") for line in lines)
    assert any(line.startswith('hf_vits_audio_seconds_total{voice="tiny"}') for line in lines)


def test_a_voice_that_cannot_be_loaded_is_no_fault_of_the_client_and_names_no_file(pipe):
    def load(source):
        raise OSError("/secret/path is gone")

    pool = VoicePool({"tiny": pipe}, load=load)
    with serving(pool) as server:
        status, _, data = ask(server.port)
        assert status == 503 and b"secret" not in data and json.loads(data)["error"]["type"] == "server_error"
        assert ask(server.port, "GET", "/health")[0] == 200


def test_an_error_in_the_middle_is_an_event_or_a_missing_end(client_of):
    class Failing(GatedPipe):
        def stream(self, text, **options):
            yield from super().stream(text)
            raise RuntimeError("lost /secret/path")

    pipe = Failing(chunks=1)
    pipe.allow()
    with client_of(pipe) as (server, _):
        last = events(ask(server.port, stream_format="sse", response_format="pcm")[2])[-1]
        assert last["type"] == "error" and "secret" not in json.dumps(last)
        with pytest.raises(http.client.IncompleteRead):
            ask(server.port, response_format="pcm")
        assert ask(server.port, response_format="pcm", stream=False)[0] == 500


@pytest.fixture
def joe(pool):
    """A server with one voice, of a name that the documentation uses."""
    with pool.use("tiny") as pipe, serving(VoicePool({"joe": pipe}, aliases={"nova": "joe"})) as server:
        yield server


def test_the_example_runs(joe, tmp_path, monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.chdir(tmp_path)
    file = str(ROOT / "examples" / "openai_client.py")
    monkeypatch.setattr("sys.argv", [file, joe.url])
    runpy.run_path(file, run_name="__main__")
    assert {file.name: soundfile.info(file).frames > 100 for file in tmp_path.iterdir()} == {
        "hello.flac": True,
        "streamed.wav": True,
    }


def test_the_python_of_the_page_about_serving_runs(joe, pipe, tmp_path, monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hf_vits.serving.voice_pool.load_pipeline", lambda source: pipe)
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "serving.md").read_text(), re.DOTALL))
    try:
        exec(code.replace("http://127.0.0.1:8000/v1", joe.url), {"__name__": "page"})
        assert soundfile.info(tmp_path / "hello.wav").frames > 100
        for stream in (True, False):
            fields = {"voice": "joe", "seed": 1, "stream": stream}
            found, samples = (ask(joe.port, **fields, response_format=name)[2] for name in ("hex", "pcm"))
            assert bytes.fromhex(found.decode()) == samples
    finally:
        AUDIO_FORMATS.unregister("hex")


def test_ssml_is_spoken_with_its_marks(server, pool):
    text = '<speak>a bed <break time="200ms"/> <mark name="here"/> a nap<audio src="/etc/passwd">a mop</audio></speak>'
    with pool.use("tiny") as pipe:
        whole = pipe(text, generator=torch.Generator().manual_seed(1), return_timestamps="word", pitch=0.0)
    fields = {"voice": "tiny", "input": text, "seed": 1, "response_format": "pcm", "timestamps": "word", "pitch": 0}
    deltas = events(ask(server.port, **fields, stream_format="sse")[2])[:-1]
    audio = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    assert close_to(np.frombuffer(audio, "<i2") / 32767, whole["audio"])
    assert [mark for delta in deltas for mark in delta.get("marks", ())] == whole["marks"] != []
    answer = json.loads(ask(server.port, **fields)[2])
    assert answer["marks"] == whole["marks"] and answer["timestamps"] == whole["timestamps"]
