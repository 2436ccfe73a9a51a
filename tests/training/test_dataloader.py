"""A stream gives what the same rows give as a split, in any number of pieces, processes and workers."""

import io
import logging
from collections import Counter
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile
import torch

from hf_vits.data.columns import rows_of
from hf_vits.data.dataset import Columns, VitsDataset, collate, select
from hf_vits.training import dataloader
from hf_vits.training.dataloader import build_eval_dataset, build_train_dataloader, split_eval_dataset

datasets = pytest.importorskip("datasets")
CLIPS = 21
GOOD = [row for row in range(CLIPS) if row not in (3, 10)]


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    """Two global batches, so that a stream of 19 good clips has several windows."""
    monkeypatch.setattr(dataloader, "WINDOW_BATCHES", 2)


@pytest.fixture
def data(make_data):
    """21 clips of unequal length; two say nothing."""
    return make_data(CLIPS, text=["a hope" if row in GOOD else " " for row in range(CLIPS)])


@pytest.fixture
def load(data, make_tokenizer, make_start, make_settings):
    """The batches of a process, and the report."""
    config = make_start().model.config

    def go(data=data, process_index=0, num_processes=1, columns=None, **settings):
        settings = make_settings(**{"per_device_train_batch_size": 4, **settings})
        return build_train_dataloader(
            data, make_tokenizer(), config, columns or Columns(), settings, process_index, num_processes
        )

    return go


@pytest.fixture
def whole(data, make_tokenizer, make_start, make_settings):
    """Every clip by its row, as the split gives it."""
    config = make_start().model.config
    clips, _ = select(data, make_tokenizer(), config, Columns(), make_settings().clip_filter)
    sounds = VitsDataset(data, clips, "audio", config)
    return {clip.row: sounds[index] for index, clip in enumerate(clips)}


def rows(batches):
    return [batch.rows.tolist() for batch in batches]


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        for name, value in vars(one).items():
            assert value is None and vars(other)[name] is None or torch.equal(value, vars(other)[name]), name


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_of_a_stream_gives_every_clip_of_the_split_once_and_as_the_split_does(data, load, whole, workers):
    batches = list(load(data.to_iterable_dataset(), dataloader_num_workers=workers)[0].epoch(0))
    assert sorted(sum(rows(batches), [])) == GOOD == sorted(whole)
    assert_same(batches, [collate([whole[row] for row in batch.rows.tolist()]) for batch in batches])


def test_a_stream_whose_audio_would_be_decoded_is_read_as_bytes(data, load):
    """Decoding takes torchcodec and FFmpeg, which nothing here needs."""
    decoding = data.cast_column("audio", datasets.Audio()).to_iterable_dataset()
    assert_same(list(load(decoding)[0].epoch(0)), list(load(data.to_iterable_dataset())[0].epoch(0)))


OPERATIONS = {
    "filtered": lambda stream: stream.filter(lambda row: True),
    "mapped": lambda stream: stream.map(lambda row: row),
    "renamed": lambda stream: stream.rename_column("text", "said").rename_column("said", "text"),
}


@pytest.mark.skipif(find_spec("torchcodec") is not None, reason="it decodes what is to be refused")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_stream_that_decodes_its_sound_is_an_error_that_says_how_to_do_without(data, load, operation, tmp_path):
    data.cast_column("audio", datasets.Audio()).to_parquet(tmp_path / "data.parquet")
    stream = datasets.load_dataset(str(tmp_path), split="train", streaming=True, cache_dir=str(tmp_path / "cache"))
    operate = OPERATIONS[operation]
    expected = r"torchcodec.*call `\.cast_column\('audio', datasets\.Audio\(decode=False\)\)`.*`text_column`"
    for read in (lambda: next(load(operate(stream))[0].epoch(0)), lambda: next(rows_of(operate(stream)))):
        with pytest.raises(ValueError, match=expected):
            read()
    if operation != "renamed":
        undecoded = operate(stream.cast_column("audio", datasets.Audio(decode=False)))
        assert_same(list(load(undecoded)[0].epoch(0)), list(load(data.to_iterable_dataset())[0].epoch(0)))


@pytest.mark.parametrize("kind", ["stream", "shuffled stream", "split"])
def test_an_epoch_begun_in_its_midst_gives_the_batches_that_are_left(data, load, kind):
    if kind != "split":
        data = data.to_iterable_dataset()
    if kind == "shuffled stream":
        data = data.shuffle(seed=1, buffer_size=6)
    batches, _ = load(data)
    for epoch in (0, 1):
        complete = list(batches.epoch(epoch))
        for start in range(len(complete) + 1):
            assert_same(list(batches.epoch(epoch, start)), complete[start:])


@pytest.mark.parametrize("workers", [0, 1])
def test_two_processes_share_every_batch_of_a_stream_that_one_takes_alone(data, load, workers):
    data = data.select(range(18)).to_iterable_dataset()  # 16 good clips, which two processes divide
    alone = rows(load(data, per_device_train_batch_size=4)[0].epoch(0))
    shares = [
        rows(load(data, index, 2, per_device_train_batch_size=2, dataloader_num_workers=workers)[0].epoch(0))
        for index in range(2)
    ]
    for batch, *parts in zip(alone, *shares, strict=True):
        assert sorted(batch) == sorted(sum(parts, []))
        assert {len(part) for part in parts} == {2}


def test_processes_have_as_many_batches_of_a_stream_that_they_do_not_divide(data, load):
    shares = [
        rows(load(data.to_iterable_dataset(), index, 3, per_device_train_batch_size=2)[0].epoch(0))
        for index in range(3)
    ]
    assert len({tuple(map(len, share)) for share in shares}) == 1
    assert set(sum((sum(share, []) for share in shares), [])) == set(GOOD)


def test_the_order_of_a_stream_within_its_windows_is_that_of_seed_and_epoch(data, load):
    data = data.to_iterable_dataset()
    orders = [rows(load(data, seed=seed)[0].epoch(epoch)) for seed in (1, 2) for epoch in (0, 1)]
    assert rows(load(data, seed=1)[0].epoch(0)) == orders[0]
    assert all(one != other for number, one in enumerate(orders) for other in orders[:number])


def test_a_stream_tells_what_it_kept_before_its_first_batch_and_again_at_its_end_once(data, load, caplog):
    caplog.set_level(logging.INFO, "hf_vits")
    batches = load(data.to_iterable_dataset())[0]
    first = batches.epoch(0)
    next(first)
    assert caplog.messages == ["The first 9 rows:\nkept          8  clips, 0.1 minutes\n" + nothing_said(1, 3)]
    list(first)
    list(batches.epoch(1))
    table = "The whole stream:\nkept         19  clips, 0.1 minutes\n" + nothing_said(2, 3)
    assert caplog.messages[1:] == [f"{table}\nThe sound of 8 clips was looked at, of the others only the length."]


def nothing_said(count, first):
    return f"dropped {count:7d}  no text; first row {first} ({first}.wav)"


def test_only_the_first_process_tells_what_was_kept(data, load, make_tokenizer, make_start, make_settings, caplog):
    caplog.set_level(logging.INFO, "hf_vits")
    for kind in (data, data.to_iterable_dataset()):
        list(load(kind, 1, 2)[0].epoch(0))
    build_eval_dataset(data, make_tokenizer(), make_start().model.config, Columns(), make_settings(), 1)
    assert not caplog.messages


def test_a_stream_without_a_clip_or_column_is_an_error_with_the_reason(make_data, load):
    silent = make_data(2, text=["", ""]).to_iterable_dataset()
    with pytest.raises(ValueError, match=r"No clip of the stream.*\n.*\n.*2  no text"):
        list(load(silent)[0].epoch(0))
    with pytest.raises(ValueError, match=r"no column 'said'; its columns are 'text', 'audio'"):
        load(silent, columns=Columns(text="said"))
    nameless = datasets.IterableDataset.from_generator(lambda: iter([{"words": "a", "audio": None}]))
    with pytest.raises(ValueError, match=r"no column 'text'; its columns are 'words', 'audio'"):
        load(nameless)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_clip_that_no_batch_may_hold_is_an_error_before_the_first_batch(data, load, streamed):
    data = data.to_iterable_dataset() if streamed else data
    expected = "`max_batch_seconds` is 0.4 s for a process's batch.* may have " + (
        "20 s" if streamed else r"0\.5[0-9]* s"
    )
    with pytest.raises(ValueError, match=expected):
        load(data, max_batch_seconds=0.4)


def test_a_batch_of_each_process_is_no_longer_than_allowed(data, load):
    for processes in (1, 2, 4):
        shares = [list(load(data, i, processes, max_batch_seconds=1)[0].epoch(0)) for i in range(processes)]
        assert max(int(batch.waveform_lengths.max()) * len(batch) for share in shares for batch in share) <= 2000
        assert 1 < max(len(batch) for share in shares for batch in share) < 4


@pytest.mark.parametrize("streamed", [False, True])
def test_clips_for_evaluation_are_spread_over_a_split_and_the_first_of_a_stream(
    data, make_tokenizer, make_start, make_settings, streamed
):
    kind = data.to_iterable_dataset() if streamed else data
    config, settings = make_start().model.config, make_settings(max_eval_samples=6)
    clips = build_eval_dataset(kind, make_tokenizer(), config, Columns(), settings).clips
    expected = [0, 1, 2, 4, 5] if streamed else [GOOD[int(19 / 6 * place)] for place in range(6)]
    assert [clip.row for clip in clips] == expected


@pytest.fixture
def draw(make_tokenizer, make_start, make_settings):
    """The texts of what is left and of the evaluation set."""
    config = make_start().model.config

    def go(data, most):
        parts = split_eval_dataset(data, make_tokenizer(), config, Columns(), make_settings(max_eval_samples=most))
        return [part and list(part["text"]) for part in parts]

    return go


ROWS = ["a" * (row + 1) if row % 3 else " " for row in range(40)]


@pytest.mark.parametrize(("asked", "held"), [(16, 4), (3, 3)])
def test_a_random_split_takes_up_to_a_tenth_of_the_usable_rows_and_the_same_each_time(make_data, draw, asked, held):
    data = make_data(40, 2.0, text=ROWS)
    left, evaluation = draw(data, asked)
    assert len(evaluation) == held and " " not in evaluation
    assert sorted(left + evaluation) == sorted(ROWS)
    assert draw(data, asked) == [left, evaluation]


def test_rows_are_counted_as_in_the_whole_data_set_when_some_are_split_off(
    make_data, make_tokenizer, make_start, make_settings
):
    data, config = (
        make_data(40, 2.0, text=["a hope" if row != 33 else " " for row in range(40)]),
        make_start().model.config,
    )
    left, evaluation = split_eval_dataset(data, make_tokenizer(), config, Columns(), make_settings(max_eval_samples=4))
    assert len(left) == 36 and len(evaluation) == 4
    _, report = select(left, make_tokenizer(), config, Columns(), make_settings().clip_filter)
    assert report.first["no text"] == "row 33 (33.wav)"


def test_nothing_is_split_off_a_few_rows_or_if_none_would_be_left(make_data, draw):
    assert draw(make_data(9), 16)[1] is None
    texts = [" "] * 9 + ["a hope"]
    assert draw(make_data(10, text=texts), 16) == [texts, None]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_whose_clips_for_evaluation_are_all_unusable_says_so_and_goes_on_without(
    make_trainer, make_data, streamed, caplog
):
    evaluation = make_data(3, 30.0)
    trainer = make_trainer(eval_dataset=evaluation.to_iterable_dataset() if streamed else evaluation, max_steps=1)
    assert trainer.evaluation is None and trainer.train().step == 1
    warning = next(message for message in caplog.messages if message.startswith("No evaluation clip is usable"))
    assert "dropped       3  longer than 20 s; first row 0 (0.wav): 30.00 s" in warning


def test_damaged_clips_for_evaluation_are_named_and_not_evaluated_on(
    data, make_data, make_tokenizer, make_start, make_settings, caplog
):
    silent = io.BytesIO()
    soundfile.write(silent, np.zeros(1000), 2000, format="WAV")
    rows = [row["audio"] for row in data]
    rows[1] = {"bytes": silent.getvalue(), "path": "silent.wav"}
    for sounds, kept in ((rows[:3], [0, 2]), (rows[1:2], None)):
        evaluation = make_data(len(sounds), text=["a hope"] * len(sounds), audio=sounds)
        found = build_eval_dataset(evaluation, make_tokenizer(), make_start().model.config, Columns(), make_settings())
        assert (found and [clip.row for clip in found.clips]) == kept
    assert "row 1 (silent.wav): left out: silent.wav holds no sound" in caplog.text
    assert "No evaluation clip is usable" in caplog.messages[-1]


def test_speakers_of_an_evaluation_stream_are_known_by_the_names_of_their_numbers(
    make_data, make_tokenizer, make_config, make_settings, speakers
):
    data = make_data(3, who=[2, 0, 1]).cast_column("who", datasets.ClassLabel(names=["bea", "cem", "ada"]))
    config, columns = make_config(sampling_rate=2000, **speakers), Columns(speaker="who")
    for kind in (data, data.to_iterable_dataset()):
        clips = build_eval_dataset(kind, make_tokenizer(), config, columns, make_settings()).clips
        assert [clip.speaker_id for clip in clips] == [0, 1, 2]
        batches = build_train_dataloader(kind, make_tokenizer(), config, columns, make_settings())[0].epoch(0)
        assert all(torch.equal(batch.speaker_id, batch.rows) for batch in batches)


@pytest.mark.parametrize("streamed", [False, True])
def test_several_speakers_and_no_column_that_says_who_are_an_error_before_anything_is_read(
    data, make_tokenizer, make_config, make_settings, speakers, streamed
):
    kind = data.to_iterable_dataset() if streamed else data
    with pytest.raises(ValueError, match=r"3 speakers, \['ada', 'bea', 'cem'\].*`speaker_column`"):
        build_train_dataloader(kind, make_tokenizer(), make_config(**speakers), Columns(), make_settings())


def test_that_a_stream_has_one_worker_is_said_by_the_first_process(data, load, caplog):
    caplog.set_level(logging.INFO, "hf_vits")
    for kind, workers, index in ((data.to_iterable_dataset(), 2, 0), (data.to_iterable_dataset(), 2, 1), (data, 2, 0)):
        load(kind, index, 2, dataloader_num_workers=workers)
    assert [message for message in caplog.messages if "dataloader_num_workers" in message] == [
        "`dataloader_num_workers` is 2, but for a stream each process has one."
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_reads_every_clip_as_often_as_any_other(make_trainer, data, streamed):
    """Two epochs of 19 clips in batches of 4, the last of which are of 3."""
    trainer = make_trainer(data=data.to_iterable_dataset() if streamed else data, max_steps=10)
    seen, align = Counter(), trainer.generator.module.align

    def counted(batch, *arguments, **options):
        seen.update(batch.rows.tolist())
        return align(batch, *arguments, **options)

    trainer.generator.module.align = counted
    assert trainer.train().epoch == 1
    assert seen == dict.fromkeys(GOOD, 2)


@pytest.mark.thorough
def test_a_run_on_a_stream_that_is_resumed_in_mid_epoch_ends_where_one_that_was_not_does(
    make_trainer, data, parameters_of, assert_equal
):
    def run(steps, name):
        stream = data.to_iterable_dataset().shuffle(seed=1, buffer_size=6)
        trainer = make_trainer(data=stream, max_steps=steps, output_dir_name=name)
        return trainer, trainer.train(resume_from_checkpoint="latest")

    whole, progress = run(8, "whole")
    assert run(3, "parts")[1].batch == 3
    rest, resumed = run(8, "parts")
    assert resumed == progress and progress.epoch == 1
    assert_equal(parameters_of(rest), parameters_of(whole))


@pytest.mark.parametrize("streamed", [False, True])
def test_data_in_a_script_that_the_voice_cannot_read_end_a_run_before_its_first_batch(make_data, load, streamed):
    data = make_data(CLIPS, text=["надежда"] * 9 + ["a hope"] * (CLIPS - 9))
    with pytest.raises(ValueError, match=r"9 of 21 rows \(43%\) hold text in a script"):
        batches, _ = load(data.to_iterable_dataset() if streamed else data, per_device_train_batch_size=8)
        next(iter(batches.epoch(0)))


def test_a_stream_in_another_script_is_refused_long_before_its_end(make_data, load, monkeypatch):
    monkeypatch.setattr(dataloader, "ROWS_BEFORE_REFUSAL", 5)
    batches, _ = load(make_data(CLIPS, text=["надежда"] * CLIPS).to_iterable_dataset())
    with pytest.raises(ValueError, match=r"5 of 5 rows \(100%\)"):
        next(iter(batches.epoch(0)))
