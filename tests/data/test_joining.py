"""Short clips are joined to sentences: each once an epoch, with their own sound and text, and the same when resumed."""

import io
from functools import partial

import numpy as np
import pytest
import soundfile
import torch

from hf_vits.data.dataset import Columns, VitsDataset, select
from hf_vits.data.joining import ClipJoiner, JoinedClip, JoinedDataset, join_texts
from hf_vits.data.samplers import LengthGroupedBatchSampler
from hf_vits.training.dataloader import build_train_dataloader

datasets = pytest.importorskip("datasets")
RATE, CLIPS, MOST = 2000, 60, 8.5
FADE = RATE // 200
LONG = (7, 20)
SPEAKERS = ["ann", "bob", "bob"] * (CLIPS // 3)


def recording(row):
    """Noise of 0.5 to 2.4 seconds between 0.4 and 0.3 seconds of silence; two rows are longer than what is joined."""
    seconds = 9.0 if row in LONG else 0.5 + 1.9 * (row * 7 % CLIPS) / CLIPS
    noise = 0.1 + 0.1 * np.random.default_rng(row).random(int(seconds * RATE)).astype(np.float32)
    samples, file = np.concatenate([np.zeros(800), noise, np.zeros(600)]), io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    return {"bytes": file.getvalue(), "path": f"{row}.wav"}


@pytest.fixture(scope="module")
def data():
    texts = [f"clip {chr(97 + row % 26)}{'.' if row % 2 else ''}" for row in range(CLIPS)]
    table = {"text": texts, "audio": [recording(row) for row in range(CLIPS)], "speaker": SPEAKERS}
    return datasets.Dataset.from_dict(table).cast_column("audio", datasets.Audio(decode=False))


@pytest.fixture
def make_joiner(data, make_config, make_tokenizer, make_settings):
    """The clips, and what joins them."""
    config = make_config(sampling_rate=RATE, num_speakers=2, speaker_names=["ann", "bob"], speaker_embedding_size=4)
    columns = Columns(speaker="speaker")
    clips, _ = select(data, make_tokenizer(), config, columns, make_settings().clip_filter)
    dataset = VitsDataset(data, clips, "audio", config)

    def make(tokenize=lambda text: make_tokenizer()(text).input_ids, most=MOST, max_tokens=800, seed=0):
        return dataset, ClipJoiner(dataset, data["text"], tokenize, most, max_tokens, seed)

    return make


def indices(item):
    return [part.index for part in item.parts] if isinstance(item, JoinedClip) else [item]


def joined(items):
    return [item for item in items if isinstance(item, JoinedClip)]


@pytest.mark.parametrize("most", [6.0, 8.5])
def test_each_clip_is_in_one_of_an_epochs_and_joined_ones_have_one_speaker_and_three_seconds_or_more(make_joiner, most):
    dataset, joiner = make_joiner(most=most)
    for epoch in range(4):
        items = joiner.arrange(epoch)
        assert sorted(sum(map(indices, items), [])) == list(range(CLIPS))
        assert all(row in items for row in LONG) and len(items) < CLIPS * 0.8
        clips = [dataset.clips[item] if isinstance(item, int) else item for item in items]
        for item, clip in zip(items, clips, strict=True):
            assert {dataset.clips[i].speaker_id for i in indices(item)} == {clip.speaker_id}
        lengths = np.array([clip.num_samples / RATE for clip in joined(items)])
        assert lengths.max() <= most
        short = [clip for clip in clips if clip.num_samples < 3 * RATE]
        assert len(short) <= 2, "all but what is left over of each speaker"


def test_lengths_of_joined_clips_are_spread_up_to_the_greatest(make_joiner):
    _, joiner = make_joiner()
    lengths = [clip.num_samples / RATE for epoch in range(9) for clip in joined(joiner.arrange(epoch))]
    shares, _ = np.histogram(lengths, bins=[3, 5, 7, 8.5])
    assert (shares > 0.15 * len(lengths)).all()


def test_the_arrangement_depends_on_seed_and_epoch_alone(make_joiner):
    one, other = make_joiner()[1], make_joiner()[1]
    other.arrange(5)
    assert one.arrange(3) == other.arrange(3)
    assert one.arrange(3) != one.arrange(4) != make_joiner(seed=1)[1].arrange(4)


def test_a_joined_waveform_is_that_of_its_clips_without_their_silence_and_with_pauses_between(make_joiner, data):
    dataset, joiner = make_joiner()
    pauses = []
    for clip in joined(joiner.arrange(0)):
        _, waveform = JoinedDataset(dataset)[clip]
        assert waveform.shape == (clip.num_samples,) and clip.parts[0].pause == 0
        place = 0
        for part in clip.parts:
            assert not waveform[place : place + part.pause].any()
            place, source = place + part.pause, dataset.waveform(dataset.clips[part.index])
            used = waveform[place : place + part.end - part.start]
            assert torch.equal(used[FADE:-FADE], source[part.start : part.end][FADE:-FADE])
            assert not source[: part.start].any() and not source[part.end :].any(), "only silence is cut off"
            assert part.start > 0.3 * RATE and len(source) - part.end > 0.15 * RATE
            assert (used[:FADE].abs() <= source[part.start :][:FADE].abs()).all()
            place += len(used)
        pauses += [part.pause / RATE for part in clip.parts[1:]]
    assert 0.12 <= min(pauses) < 0.16 and 0.31 < max(pauses) <= 0.35


def test_texts_are_joined_before_they_become_tokens(make_joiner, data):
    seen = []
    dataset, joiner = make_joiner(tokenize=lambda text: seen.append(text) or [1] * len(text.split()))
    clips = joined(joiner.arrange(0))
    for clip in clips:
        text = " ".join(f"{data['text'][part.index].rstrip('.')}." for part in clip.parts)
        assert text in seen and len(clip.input_ids) == len(text.split())
    assert len(seen) == len(clips)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Yes", "no."], "Yes. no."),
        ([" Really? ", "well,", 'He said "no."', 'He said "no"'], 'Really? well, He said "no." He said "no".'),
        (["你好", "是！"], "你好。 是！"),
        (["नमस्ते", "हाँ।"], "नमस्ते। हाँ।"),
        (["привет", "مرحبا"], "привет. مرحبا."),
        (["number 5", "[[h@loU]]"], "number 5. [[h@loU]]."),
    ],
)
def test_a_text_without_a_final_mark_gets_the_full_stop_of_its_script(texts, expected):
    assert join_texts(texts) == expected


@pytest.mark.parametrize("problem", ["tokens", "frames", "unreadable"])
def test_clips_whose_joined_text_is_too_long_or_unreadable_stay_alone(make_joiner, problem):
    def tokenize(text):
        if problem == "unreadable":
            raise ValueError("no token")
        return [1] * (100 if problem == "tokens" else 10**6)

    _, joiner = make_joiner(tokenize=tokenize, max_tokens=99 if problem == "tokens" else 10**7)
    assert sorted(joiner.arrange(0)) == list(range(CLIPS))


def test_a_clip_that_is_damaged_later_is_replaced(make_joiner, data, caplog):
    dataset, joiner = make_joiner()
    clip = joined(joiner.arrange(0))[0]
    broken = {**data[clip.parts[1].index], "audio": {"bytes": b"no sound", "path": "x.wav"}}
    dataset.audio = {part.index: broken if part is clip.parts[1] else data[part.index] for part in clip.parts}
    replaced, waveform = JoinedDataset(dataset)[clip]
    assert replaced == dataset.clips[clip.parts[0].index] and len(waveform) == replaced.num_samples
    assert "are not joined" in caplog.text


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_hold_all_joined_clips_of_each_epoch(data, make_joiner, make_settings, make_tokenizer, workers):
    dataset, joiner = make_joiner()
    settings = make_settings(
        join_clips_seconds=MOST, seed=0, dataloader_num_workers=workers, per_device_train_batch_size=1
    )
    columns = Columns(speaker="speaker")
    loader, report = build_train_dataloader(data, make_tokenizer(), dataset.config, columns, settings)
    assert (report.kept, report.joined) == (CLIPS, len(joiner.arrange(0)))
    assert f"joined  {report.joined:7d}  clips" in str(report)
    for epoch in (0, 1):
        batches = list(loader.epoch(epoch))
        items = joiner.arrange(epoch)
        lengths = [(dataset.clips[item] if isinstance(item, int) else item).num_samples for item in items]
        assert sorted(int(batch.waveform_lengths) for batch in batches) == sorted(lengths)
        rest = list(loader.epoch(epoch, len(batches) - 2))
        assert [batch.rows.tolist() for batch in rest] == [batch.rows.tolist() for batch in batches[-2:]]
        assert all(torch.equal(a.waveform, b.waveform) for a, b in zip(rest, batches[-2:], strict=True))


def test_two_processes_share_the_batches_that_one_takes_alone(data, make_joiner, make_settings, make_tokenizer):
    dataset, _ = make_joiner()
    columns, tokenizer = Columns(speaker="speaker"), make_tokenizer()

    def rows(size, *process):
        settings = make_settings(join_clips_seconds=MOST, per_device_train_batch_size=size)
        loader, _ = build_train_dataloader(data, tokenizer, dataset.config, columns, settings, *process)
        return [batch.rows.tolist() for batch in loader.epoch(1)]

    shares = zip(rows(2, 0, 2), rows(2, 1, 2), strict=True)
    assert [sorted(one + other) for one, other in shares] == [sorted(batch) for batch in rows(4)][:None]


@pytest.mark.thorough
def test_a_resumed_run_of_joined_clips_ends_where_one_that_never_stopped_does(
    make_trainer, make_data, parameters_of, assert_equal
):
    """Seven clips make two joined ones, a batch each."""
    make = partial(make_trainer, data=make_data(7, seconds=0.9), join_clips_seconds=4, per_device_train_batch_size=1)
    whole = make(max_steps=2, output_dir_name="whole")
    whole.train()
    make(max_steps=1, output_dir_name="parts").train()
    rest = make(max_steps=2, output_dir_name="parts")
    rest.train(resume_from_checkpoint="latest")
    assert_equal(parameters_of(rest), parameters_of(whole))
    assert "joined in an epoch" in (rest.output_dir / "README.md").read_text()


def test_a_stream_and_lengths_that_do_not_fit_are_errors_that_say_what_to_do(
    data, make_joiner, make_settings, make_tokenizer
):
    dataset, _ = make_joiner()
    arguments = (make_tokenizer(), dataset.config, Columns(speaker="speaker"))
    with pytest.raises(ValueError, match="`join_clips_seconds` is 8.5, but the data is a stream.*without `streaming`"):
        build_train_dataloader(data.to_iterable_dataset(), *arguments, make_settings(join_clips_seconds=8.5))
    with pytest.raises(ValueError, match="`join_clips_seconds` is 9, beyond `max_duration_seconds`, 8"):
        make_settings(join_clips_seconds=9, max_duration_seconds=8)
    with pytest.raises(ValueError, match="`join_clips_seconds` is 2; it must be a finite number from 3 up"):
        make_settings(join_clips_seconds=2)
    with pytest.raises(ValueError, match="`max_batch_seconds` is 10 s .*12 s"):
        settings = make_settings(join_clips_seconds=12, max_batch_seconds=10)
        build_train_dataloader(data, *arguments, settings)


def test_the_sampler_counts_the_batches_of_its_epoch(make_joiner):
    from hf_vits.data.joining import JoinedBatchSampler

    _, joiner = make_joiner()
    sampler = JoinedBatchSampler(joiner, partial(LengthGroupedBatchSampler, batch_size=4))
    for epoch in range(3):
        sampler.set_epoch(epoch, 1)
        assert len(sampler) == len(list(sampler)) == -(-len(joiner.arrange(epoch)) // 4) - 1
