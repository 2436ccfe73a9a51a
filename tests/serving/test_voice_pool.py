import gc
import threading
import weakref

import numpy as np
import pytest
import torch

from hf_vits.serving import Scheduler, SpeechRequest, UnknownVoiceError, VoicePool, VoiceUnavailableError

TEXT = "A bed is made. Deaf jam, a nap and a kid.\n\nPop in a ham."


def sound(pool, text=TEXT, voice="tiny", **options):
    return np.concatenate([chunk["audio"] for chunk in pool.speak(SpeechRequest(text, voice, **options))])


@pytest.fixture
def pool(pipe):
    return VoicePool({"tiny": pipe}, aliases={"alloy": "tiny"})


def test_chunks_are_those_of_the_pipeline_for_every_control(pool, pipe):
    request = SpeechRequest(
        TEXT, "tiny", speed=1.5, noise_scale=0.3, noise_scale_duration=0.4, pause=0.01, seed=5, timestamps="word"
    )
    arguments = {"speaking_rate": 1.5 * pipe.model.config.speaking_rate, "noise_scale": 0.3, "pause": 0.01}
    generator = torch.Generator().manual_seed(5)
    expected = list(
        pipe.stream(TEXT, noise_scale_duration=0.4, generator=generator, return_timestamps="word", **arguments)
    )
    chunks = list(pool.speak(request))
    assert len(chunks) == len(expected) > 3
    for chunk, other in zip(chunks, expected, strict=True):
        assert np.array_equal(chunk.pop("audio"), other.pop("audio"))
        assert chunk == other


def test_a_seed_gives_the_same_samples_and_the_global_generator_is_not_touched(pool):
    state = torch.get_rng_state()
    first, again, other, free = (sound(pool, seed=seed) for seed in (1, 1, 2, None))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other[: len(first)]) and not np.array_equal(free, first)
    assert torch.equal(state, torch.get_rng_state())


def test_many_threads_get_the_samples_of_a_single_one(pool):
    expected = [sound(pool, seed=seed) for seed in range(6)]
    with Scheduler(workers=4) as scheduler:
        jobs = [scheduler.submit(lambda s=s: pool.speak(SpeechRequest(TEXT, "alloy", seed=s))) for s in range(6)]
        found = [np.concatenate([chunk["audio"] for chunk in job]) for job in jobs]
    assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))


def test_speakers_are_chosen_by_number_name_or_the_name_of_the_voice_and_default_to_the_first(make_pipe, speakers):
    pool = VoicePool({"three": make_pipe(**speakers)})
    by_id = [sound(pool, voice="three", speaker=number, seed=1) for number in range(3)]
    assert not np.array_equal(by_id[0], by_id[1][: len(by_id[0])])
    for voice, speaker, number in (
        ("three", None, 0),
        ("three", "bea", 1),
        ("three:bea", None, 1),
        ("three:2", None, 2),
        ("three:bea", "cem", 2),
        ("three", "1", 1),
    ):
        assert np.array_equal(sound(pool, voice=voice, speaker=speaker, seed=1), by_id[number])
    with pytest.raises(ValueError, match="dan"):
        sound(pool, voice="three:dan")


@pytest.mark.parametrize("name", ["tinny", "", "tiny:", ":ada", "../tiny", "/etc/passwd", "TINY", "tiny\0", "default"])
def test_a_name_that_is_not_in_the_table_is_refused_whatever_files_exist(pool, name):
    with pytest.raises(UnknownVoiceError, match="There is no voice .*Voices are tiny"):
        pool.find(name)


@pytest.mark.parametrize(
    ("option", "value"),
    [("speed", 100.0), ("speed", 0), ("speed", "2"), ("speed", float("nan")), ("seed", 2**64), ("seed", 1.0)]
    + [("noise_scale", -1), ("pause", 61), ("timestamps", "letters"), ("speaker", 7), ("language", "de")],
)
def test_values_out_of_range_are_refused_at_the_first_chunk(pool, option, value):
    with pytest.raises(ValueError, match=r"must be|Give one of|has 1 speaker|no language"):
        next(pool.speak(SpeechRequest(TEXT, "tiny", **{option: value})))


def test_voices_are_loaded_once_at_first_use(pipe):
    loads, start = [], threading.Barrier(8)

    def load(source):
        loads.append(source)
        return pipe

    pool = VoicePool({"a": "folder/a", "b": "folder/b"}, load=load)
    assert pool.loaded == loads == []

    def speak():
        start.wait(30)
        sound(pool, voice="a")

    threads = [threading.Thread(target=speak) for _ in range(8)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert loads == ["folder/a"] and pool.loaded == ["a"]


def test_the_first_voice_is_warmed_up_in_the_thread_that_will_speak(pipe):
    threads, sources = [], {"folder/a": pipe}

    def load(source):
        threads.append(threading.current_thread().name)
        return sources.pop(source)

    with Scheduler() as scheduler:
        pool = VoicePool({"a": "folder/a", "b": "folder/b"}, load=load)
        pool.warm_up(scheduler)
        assert threads == ["speech-0"] and pool.loaded == ["a"] and not scheduler.jobs
        with pytest.raises(VoiceUnavailableError):
            VoicePool({"a": "folder/b"}, load=load).warm_up(scheduler)


def test_the_least_recently_used_voice_is_dropped_when_memory_is_short_but_none_in_use(make_pipe):
    alive = {}

    def load(source):
        pipe = make_pipe()
        alive[source] = weakref.ref(pipe)
        return pipe

    size = 3 * sum(p.numel() * p.element_size() for p in make_pipe().model.parameters())
    pool = VoicePool({name: name for name in "abc"}, max_bytes=round(2.5 * size), load=load)
    for name in "ababc":
        sound(pool, voice=name)
    assert pool.loaded == ["b", "c"]
    gc.collect()
    assert alive["a"]() is None and alive["b"]() is not None
    with pool.use("b"), pool.use("c"), pool.use("a"):
        assert pool.loaded == ["a", "b", "c"]
    assert len(pool.loaded) == 2


def test_a_stream_that_is_closed_lets_go_of_its_voice(pool):
    chunks = pool.speak(SpeechRequest(TEXT, "tiny"))
    next(chunks)
    assert pool._voices["tiny"].users == 1
    chunks.close()
    assert pool._voices["tiny"].users == 0


def test_a_voice_that_fails_to_load_is_tried_again(pipe):
    answers = [OSError("disk"), pipe]

    def load(_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = VoicePool({"tiny": "folder"}, load=load)
    with pytest.raises(VoiceUnavailableError, match="tiny cannot be loaded") as raised:
        sound(pool)
    assert isinstance(raised.value.__cause__, OSError)
    assert len(sound(pool)) and pool._voices["tiny"].users == 0


@pytest.mark.parametrize(
    ("voices", "aliases", "reason"),
    [
        ({}, {}, "no voice to serve"),
        ({"a:b": 1}, {}, "a text without ':'"),
        ({" ": 1}, {}, "a text without ':'"),
        ({"a": 1}, {"b": "c"}, "names none"),
        ({"a": 1}, {"a": "a"}, "is a voice itself"),
    ],
)
def test_a_table_that_is_wrong_is_refused(voices, aliases, reason):
    with pytest.raises(ValueError, match=reason):
        VoicePool(voices, aliases)


def test_the_configuration_of_a_voice_is_read_without_its_weights(make_pipe, speakers, tmp_path):
    make_pipe(**speakers).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    pool = VoicePool({"three": str(tmp_path)})
    assert pool.config("three").speaker_names == ["ada", "bea", "cem"] and pool.loaded == []


def test_a_voice_is_read_for_its_languages_once_and_no_stream_of_a_dropped_voice_reads_a_file(make_pipe, tmp_path):
    make_pipe().save_pretrained(tmp_path)
    pool = VoicePool({"tiny": str(tmp_path)})
    found = pool.languages("tiny")
    (tmp_path / "tokenizer_config.json").unlink()
    found.append("changed by a caller")
    assert pool.languages("tiny") == found[:-1]
