"""Texts, whole and in chunks, are answered with the samples of the pipeline, by the protocol's own client."""

import asyncio
import logging
import threading

import numpy as np
import pytest
import torch

pytest.importorskip("wyoming.event")
from tiny_voices import SPEAKERS
from wyoming.client import AsyncClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeVoice
from wyoming_conversations import answers, in_chunks, rounded, said, serving, sound, whole

from hf_vits.serving import Scheduler, VoicePool

pytestmark = pytest.mark.timeout(60)
TEXT = "A hope on a home. Man, a lamp! Fog... and no end"


@pytest.fixture(scope="session")
def pipes(make_pipe):
    """A voice in double precision, in which a sample does not depend on how a sentence is divided, and one of three
    speakers."""
    one, three = make_pipe(), make_pipe(**SPEAKERS)
    one.model.double()
    three.model.double()
    return {"one": one, "three": three}


@pytest.fixture
def uri(tmp_path):
    return f"unix://{tmp_path / 'socket'}"


@pytest.fixture
def pool(pipes):
    return VoicePool(pipes)


@pytest.fixture
def scheduler():
    with Scheduler() as scheduler:
        yield scheduler


@pytest.fixture
def talk(uri, pool, scheduler):
    """Runs a conversation with a server of these options -> what it returns."""

    def run(conversation, **options):
        async def served():
            async with serving(uri, pool, scheduler, **options):
                return await conversation

        return asyncio.run(served())

    return run


def spoken(pipe, text, seed=5, **options):
    return rounded(pipe(text, generator=torch.Generator().manual_seed(seed), **options)["audio"])


def test_a_whole_text_has_the_samples_of_the_pipeline(talk, uri, pipes):
    events = talk(whole(uri, TEXT), seed=5, pause=0.1)
    np.testing.assert_array_equal(sound(events), spoken(pipes["one"], TEXT, pause=0.1))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_text_in_chunks_has_the_samples_of_the_whole_one(talk, uri, pipes, size):
    events = talk(in_chunks(uri, TEXT, size), seed=5, pause=0.1)
    assert events.pop().type == "synthesize-stopped"
    np.testing.assert_array_equal(sound(events), spoken(pipes["one"], TEXT, pause=0.1))


def test_a_sentence_is_spoken_before_the_next_one_is_complete(talk, uri, pipes):
    async def conversation():
        async with AsyncClient.from_uri(uri) as client:
            for event in (
                SynthesizeStart(),
                SynthesizeChunk("A ho"),
                SynthesizeChunk("pe. And "),
                SynthesizeChunk("a "),
            ):
                await client.write_event(event.event())
            expected, samples = spoken(pipes["one"], "A hope."), 0
            while samples < len(expected):
                event = await asyncio.wait_for(client.read_event(), 30)
                samples += len(event.payload or b"") // 2
            await client.write_event(SynthesizeStop().event())
            return samples, len(expected), await answers(client, "synthesize-stopped")

    first, expected, rest = talk(conversation(), seed=5)
    assert first == expected and rest[0].type == "audio-chunk" and rest[-1].type == "synthesize-stopped"


def test_one_connection_answers_several_texts_one_after_the_other(talk, uri, pipes):
    async def conversation():
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(SynthesizeStart().event())  # abandoned: another one begins
            await client.write_event(SynthesizeChunk("Never ").event())
            found = []
            for text in ("A hope.", "Home."):
                for event in (SynthesizeStart(), SynthesizeChunk(text), SynthesizeStop()):
                    await client.write_event(event.event())
                found.append((await answers(client, "synthesize-stopped"))[:-1])
                await client.write_event(Synthesize(text).event())
                found.append(await answers(client, "audio-stop"))
            return found

    found = talk(conversation(), seed=5)
    for events, text in zip(found, ("A hope.", "A hope.", "Home.", "Home."), strict=True):
        np.testing.assert_array_equal(sound(events), spoken(pipes["one"], text))


def test_voices_and_speakers_are_chosen_by_the_client(talk, uri, pipes):
    async def conversation():
        chosen = (SynthesizeVoice("three", speaker="bea"), SynthesizeVoice("three"), SynthesizeVoice("three:2"), None)
        return [sound(await whole(uri, "A hope.", voice=voice)) for voice in chosen]

    expected = [spoken(pipes["three"], "A hope.", speaker_id=number) for number in (1, 0, 2)]
    for samples, other in zip(talk(conversation(), seed=5), [*expected, spoken(pipes["one"], "A hope.")], strict=True):
        np.testing.assert_array_equal(samples, other)


def test_options_of_the_server_are_those_of_the_pipeline(uri, pipes):
    options = {"noise_scale": 0.2, "noise_scale_duration": 0.3}

    async def conversation(scheduler):
        async with serving(
            uri, VoicePool({"three": pipes["three"]}), scheduler, seed=5, speed=1.5, speaker="cem", **options
        ):
            return sound(await in_chunks(uri, "A hope."))[:]

    with Scheduler() as scheduler:
        samples = asyncio.run(conversation(scheduler))
    rate = 1.5 * pipes["three"].model.config.speaking_rate
    expected = spoken(pipes["three"], "A hope.", speaking_rate=rate, speaker_id="cem", **options)
    np.testing.assert_array_equal(samples, expected)


def test_the_speaker_of_the_server_is_one_of_the_first_voice_alone(uri, pipes):
    async def conversation(scheduler):
        pool = VoicePool({"three": pipes["three"], "one": pipes["one"]})
        async with serving(uri, pool, scheduler, seed=5, speaker="cem"):
            return sound(await whole(uri, "A hope.", voice=SynthesizeVoice("one")))

    with Scheduler() as scheduler:
        np.testing.assert_array_equal(asyncio.run(conversation(scheduler)), spoken(pipes["one"], "A hope."))


def test_several_clients_at_once_each_hear_their_own_text(talk, uri, pipes):
    texts = ["A hope.", "Home, a lamp and a man.", "Fog. No end of it.", "Open a can."]

    async def conversation():
        return await asyncio.gather(*(speak(uri, text) for text in texts for speak in (whole, in_chunks)))

    found = talk(conversation(), seed=5)
    for events, text in zip(found, [text for text in texts for _ in range(2)], strict=True):
        np.testing.assert_array_equal(sound(events), spoken(pipes["one"], text))


def test_describe_lists_voices_languages_and_speakers(talk, uri, pipes, monkeypatch):
    monkeypatch.setattr(VoicePool, "languages", lambda pool, name: {"one": ["en-us"], "three": ["pt-br", "de"]}[name])
    (event,) = talk(said(uri, Describe(), last="info"))
    (program,) = Info.from_event(event).tts
    assert program.name == "hf_vits" and program.installed and program.supports_synthesize_streaming
    one, three = program.voices
    assert (one.name, one.languages, one.speakers, one.installed) == ("one", ["en-US"], None, True)
    assert three.languages == ["pt-BR", "de"] and [speaker.name for speaker in three.speakers] == ["ada", "bea", "cem"]


@pytest.mark.parametrize(
    ("language", "voice"), [("en", "one"), ("en_US", "one"), ("EN-gb", "one"), ("pt-PT", "three"), ("de", "three")]
)
def test_a_language_selects_the_first_voice_that_speaks_it(talk, uri, pipes, monkeypatch, language, voice):
    monkeypatch.setattr(VoicePool, "languages", lambda pool, name: {"one": ["en-us"], "three": ["pt-br", "de"]}[name])
    samples = sound(talk(whole(uri, "A hope.", voice=SynthesizeVoice(language=language)), seed=5))
    np.testing.assert_array_equal(
        samples, spoken(pipes[voice], "A hope.", **({} if voice == "one" else {"speaker_id": 0}))
    )


@pytest.mark.parametrize("text", ["", "  ", "\U0001f44d", "***"])
@pytest.mark.parametrize("speak", [whole, in_chunks])
def test_a_text_without_anything_to_speak_is_answered_without_samples(talk, uri, speak, text):
    assert len(sound(talk(speak(uri, text)))) == 0


def test_what_is_no_speech_within_a_stream_is_left_out(talk, uri, pipes):
    samples = sound(talk(in_chunks(uri, "A hope.\n\n***\n\nHome."), seed=5, pause=0.1)[:-1])
    np.testing.assert_array_equal(samples, spoken(pipes["one"], "A hope.\n\n***\n\nHome.", pause=0.1))


SSML = '<speak>A hope. <break time="300ms"/><prosody rate="slow">Home.</prosody> A lamp.</speak>'


@pytest.mark.parametrize("speak", [whole, in_chunks])
@pytest.mark.parametrize("text_format", ["ssml", None])
def test_ssml_has_the_samples_of_the_pipeline_whole_and_in_chunks(talk, uri, pipes, speak, text_format):
    samples = sound(talk(speak(uri, SSML, text_format=text_format), seed=5))
    np.testing.assert_array_equal(samples, spoken(pipes["one"], SSML))


def test_a_text_in_chunks_that_is_said_to_be_ssml_and_is_none_is_an_error(talk, uri):
    events = talk(in_chunks(uri, "A hope. Home.", compatible=False, text_format="ssml"))
    assert [event.type for event in events] == ["error"] and "<speak>" in events[0].data["text"]


def test_unknown_events_are_ignored_and_ping_is_answered(talk, uri):
    events = talk(said(uri, Event("select-program", {"name": "x"}), Event("transcribe"), Ping("a"), last="pong"))
    assert [Pong.from_event(event).text for event in events] == ["a"]


WRONG = {
    "no voice": (Event("synthesize", {"text": "a", "voice": {"name": "ona"}}), "did you mean `one`"),
    "a path": (Event("synthesize", {"text": "a", "voice": {"name": "../../etc/passwd"}}), "no voice"),
    "no language": (Event("synthesize", {"text": "a", "voice": {"language": "xx"}}), "no voice for the language 'xx'"),
    "no speaker": (Event("synthesize", {"text": "a", "voice": {"name": "three", "speaker": "dan"}}), "ada"),
    "no text": (Event("synthesize", {}), "`text` is None"),
    "a number": (Event("synthesize", {"text": 5}), "`text` is 5"),
    "a list": (Event("synthesize", {"text": ["a"]}), "must be a string"),
    "voice a string": (Event("synthesize", {"text": "a", "voice": "one"}), "`voice` is 'one'"),
    "name a number": (Event("synthesize", {"text": "a", "voice": {"name": 1}}), "`voice` is"),
    "a format": (Event("synthesize", {"text": "a", "text_format": "html"}), "'text' or 'ssml'"),
    "no SSML": (Event("synthesize", {"text": "a", "text_format": "ssml"}), "<speak>"),
    "broken SSML": (Event("synthesize", {"text": "<speak>a", "text_format": "ssml"}), "not well-formed"),
    "too long": (Event("synthesize", {"text": "a" * 1001}), "1,001 characters; at most 1,000"),
    "far too long": (
        Event("synthesize", {"text": "a" * 90_000}),
        "`data_length` must be a number of bytes, 0 to 77,536",
    ),
    "no start": (Event("synthesize-chunk", {"text": "a"}), "synthesize-start"),
    "no start, stop": (Event("synthesize-stop"), "synthesize-start"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_an_error_with_its_reason_after_which_the_connection_ends(talk, uri, name):
    async def conversation():
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(WRONG[name][0])
            return await answers(client, "audio-stop"), await asyncio.wait_for(client.read_event(), 30)

    events, after = talk(conversation(), max_characters=1000)
    assert [event.type for event in events] == ["error"] and WRONG[name][1] in events[0].data["text"]
    assert after is None


def test_chunks_that_are_too_long_together_are_an_error(talk, uri):
    events = talk(in_chunks(uri, "a " * 501, size=10, compatible=False), max_characters=1000)
    assert events[-1].type == "error" and "at most 1,000" in events[-1].data["text"]


def test_a_mistake_of_one_client_leaves_the_others_alone(talk, uri, pipes):
    async def conversation():
        refused = said(uri, *(WRONG["a list"][:1]))
        return await asyncio.gather(whole(uri, TEXT), refused, in_chunks(uri, TEXT))

    one, _, other = talk(conversation(), seed=5)
    for events in (one, other):
        np.testing.assert_array_equal(sound(events), spoken(pipes["one"], TEXT))


def test_the_work_stops_when_the_client_goes_away(uri, make_pipe, caplog):
    pipe, made, closed = make_pipe(), [], threading.Event()
    text = "A hope on a home. " * 2000

    def stream(text, **options):
        try:
            for chunk in type(pipe).stream(pipe, text, **options):
                made.append(len(chunk["audio"]))
                yield chunk
        finally:
            closed.set()

    pipe.stream = stream

    async def conversation(scheduler):
        async with serving(uri, VoicePool({"one": pipe}), scheduler):
            async with AsyncClient.from_uri(uri) as client:
                await client.write_event(Synthesize(text).event())
                for _ in range(3):
                    await client.read_event()
            while not closed.is_set() or scheduler.jobs:
                await asyncio.sleep(0.01)
            return sound(await whole(uri, "A hope."))

    with Scheduler() as scheduler, caplog.at_level(logging.ERROR):
        assert len(asyncio.run(conversation(scheduler))) > 0
    assert sum(made) < 0.5 * len(pipe("A hope on a home.")["audio"]) * 2000 and not caplog.records


def test_a_full_queue_is_an_error_and_a_text_that_has_begun_waits_instead(uri, pipes, monkeypatch):
    monkeypatch.setattr("hf_vits.serving.scheduling.LONGEST_RETRY", 0.05)
    gate = threading.Event()

    def blocked():
        gate.wait(30)
        yield from ()

    async def conversation(scheduler):
        async with serving(uri, VoicePool(pipes), scheduler, seed=5), AsyncClient.from_uri(uri) as client:
            for event in (SynthesizeStart(), SynthesizeChunk("A hope. And ")):
                await client.write_event(event.event())
            first = await asyncio.wait_for(client.read_event(), 30)
            while scheduler.jobs:
                await asyncio.sleep(0.01)
            scheduler.submit(blocked)
            refused = await whole(uri, "Home.")
            await client.write_event(SynthesizeChunk("home. ").event())
            await client.write_event(SynthesizeStop().event())
            asyncio.get_running_loop().call_later(0.3, gate.set)
            return refused, [first, *await answers(client, "synthesize-stopped")]

    with Scheduler(workers=1, max_jobs=1) as scheduler:
        (refused,), events = asyncio.run(conversation(scheduler))
    assert refused.data["code"] == "QueueFullError" and "Try again" in refused.data["text"]
    np.testing.assert_array_equal(sound(events), spoken(pipes["one"], "A hope. And home."))
