"""Of a data set only what is needed is read, wherever its files lie and whatever format it was given."""

import functools
import http.server
import io
import json
import math
import re
import threading
import zipfile

import numpy as np
import pytest
import soundfile

from hf_vits.data.audio import read_audio, with_content
from hf_vits.data.columns import check_speakers_are_not_mixed, plain_rows, rows_of, speaker_name, speakers_of
from hf_vits.data.dataset import check_data, select
from hf_vits.training import Columns
from hf_vits.training.dataloader import build_eval_dataset, build_train_dataloader

datasets = pytest.importorskip("datasets")
RATE = 2000


def wave(seed=0):
    file = io.BytesIO()
    samples = 0.1 * np.random.default_rng(seed).normal(size=RATE)
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


WAVES = {f"{number}.wav": wave(number) for number in range(3)}
TEXTS = ["a hope", "feed me", "a cab"]


@pytest.fixture
def load(make_tokenizer, make_config, make_settings):
    """The clips of data in batches of a run: the text, as ids, and the samples of each row."""
    config, tokenizer, settings = make_config(sampling_rate=RATE), make_tokenizer(), make_settings()

    def go(data, columns=None):
        batches = list(build_train_dataloader(data, tokenizer, config, columns or Columns(), settings)[0].epoch(0))
        return {
            row: (batch.input_ids[i, : batch.text_lengths[i]].tolist(), batch.waveform[i, 0].numpy())
            for batch in batches
            for i, row in enumerate(batch.rows.tolist())
        }

    return go


@pytest.fixture
def plain():
    """Rows of text and sound, and nothing else."""
    audio = [{"bytes": content, "path": name} for name, content in WAVES.items()]
    data = datasets.Dataset.from_dict({"text": TEXTS, "audio": audio, "who": [1, 0, 1]})
    return data.cast_column("audio", datasets.Audio(decode=False))


def assert_same(left, right):
    assert left.keys() == right.keys() == {0, 1, 2}
    for row in left:
        assert left[row][0] == right[row][0] and np.array_equal(left[row][1], right[row][1])


@pytest.mark.parametrize("streamed", [False, True])
def test_columns_that_are_not_named_are_never_decoded(
    plain, load, streamed, make_tokenizer, make_config, make_settings
):
    broken = [{"bytes": b"nothing of the kind", "path": None}] * 3
    data = plain.add_column("noise", broken).add_column("face", broken)
    data = data.cast_column("noise", datasets.Audio()).cast_column("face", datasets.Image())
    data = data.cast_column("audio", datasets.Audio())
    data = data.to_iterable_dataset() if streamed else data
    assert_same(load(data), load(plain))
    evaluation = build_eval_dataset(data, make_tokenizer(), make_config(sampling_rate=RATE), Columns(), make_settings())
    assert [clip.row for clip in evaluation.clips] == [0, 1, 2] and evaluation.rows[1]["text"] == TEXTS[1]
    assert speakers_of("who", data) == ["0", "1"]


@pytest.mark.parametrize("kind", ["numpy", "torch", "pandas", "arrow", "polars"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_format_that_data_were_given_does_not_count(plain, load, kind, streamed):
    if kind == "polars":
        pytest.importorskip("polars")
    data = (plain.to_iterable_dataset() if streamed else plain).with_format(kind)
    assert_same(load(data, Columns(speaker="")), load(plain))
    assert speakers_of("who", data) == ["0", "1"]


def test_a_function_of_the_users_that_makes_the_rows_is_still_called(plain, load):
    made = plain.remove_columns("text").with_transform(lambda rows: {**rows, "text": [TEXTS[0]] * len(rows["audio"])})
    made = made.add_column("text", [""] * 3)
    assert {tuple(ids) for ids, _ in load(made).values()} == {tuple(load(plain)[0][0])}


def test_a_dictionary_of_splits_is_an_error_that_names_them(plain, load, make_trainer):
    for kind in (plain, plain.to_iterable_dataset()):
        splits = (datasets.DatasetDict if kind is plain else datasets.IterableDatasetDict)({"dev": kind, "train": kind})
        with pytest.raises(ValueError, match=r"of the splits \['dev', 'train'\].*give data\['dev'\]"):
            load(splits)
        with pytest.raises(ValueError, match=r"of the splits"):
            make_trainer(data=plain, eval_dataset=splits)


@pytest.mark.parametrize("streamed", [False, True])
def test_batches_are_an_error_that_says_to_leave_batching_out(plain, load, streamed):
    data = (plain.to_iterable_dataset() if streamed else plain).batch(2)
    with pytest.raises(
        ValueError, match=r"columns \['text', 'audio'\] hold lists.*before `\.batch.*`per_device_train_batch_size`"
    ):
        load(data)
    unknown = datasets.IterableDataset.from_generator(lambda: iter([{"text": ["a"], "audio": [None]}]))
    with pytest.raises(ValueError, match=r"text that is no string.*type list; give the data before `\.batch"):
        load(unknown)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("column", ["audio", "clip"])
def test_the_advice_for_sound_in_structures_gives_what_is_wanted(plain, load, streamed, column):
    audio = [{"sound": sound, "length": 1} for sound in plain["audio"]]
    features = {"sound": datasets.Audio(), "length": datasets.Value("int64")}
    data = plain.remove_columns("audio").add_column(column, audio).cast_column(column, features)
    data = data.to_iterable_dataset() if streamed else data
    with pytest.raises(ValueError, match="inside a structure") as error:
        load(data, Columns(audio=column))
    (code,) = re.findall("`(.*)`", str(error.value))
    names = {"data": data}
    exec(code.replace("from datasets import *; ", "from datasets import *\n"), names)
    assert_same(load(names["data"], Columns(audio=column)), load(plain))


def test_several_sounds_in_a_row_are_an_error(plain, load):
    data = plain.remove_columns("audio").add_column("audio", [[sound, sound] for sound in plain["audio"]])
    data = data.cast_column("audio", datasets.List(datasets.Audio(decode=False)))
    with pytest.raises(ValueError, match="'audio' holds several recordings in each row.*a row of its own"):
        load(data)


@pytest.fixture
def archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for name, content in WAVES.items():
            file.writestr(f"wavs/{name}", content)
    return tmp_path / "a.zip"


@pytest.fixture
def server(tmp_path):
    """The address of a folder, and the paths that were asked for."""
    asked = []

    class Folder(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path) if self.command == "GET" else None

    for name, content in WAVES.items():
        (tmp_path / name).write_bytes(content)
    address = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Folder, directory=str(tmp_path)))
    threading.Thread(target=address.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{address.server_port}", asked
    address.shutdown()


def addressed(plain, form):
    audio = [{"bytes": None, "path": form.format(name)} for name in WAVES]
    data = plain.remove_columns("audio").add_column("audio", audio)
    return data.cast_column("audio", datasets.Audio(decode=False))


@pytest.mark.parametrize("streamed", [False, True])
def test_recordings_in_an_archive_are_read(plain, load, archive, streamed):
    data = addressed(plain, f"zip://wavs/{{}}::{archive}")
    assert_same(load(data.to_iterable_dataset() if streamed else data), load(plain))


def test_an_archive_that_datasets_streams_is_read(plain, load, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    lines = ["file_name,text", *(f"wavs/{name},{text}" for name, text in zip(WAVES, TEXTS, strict=True))]
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("metadata.csv", "\n".join(lines))
    stream = datasets.load_dataset("audiofolder", data_files=str(archive), split="train", streaming=True)
    assert_same(load(stream), load(plain))


def test_recordings_on_a_server_are_fetched_once_in_a_pass_over_a_stream(
    plain, load, server, make_tokenizer, make_config, make_settings
):
    address, asked = server
    stream = addressed(plain, address + "/{}").to_iterable_dataset()
    assert_same(load(stream), load(plain))
    assert sorted(asked) == [f"/{name}" for name in WAVES]
    clips = build_eval_dataset(stream, make_tokenizer(), make_config(sampling_rate=RATE), Columns(), make_settings())
    asked.clear()
    assert [clips[index][0].row for index in (0, 1, 2)] == [0, 1, 2] and not asked


class Hub(http.server.BaseHTTPRequestHandler):
    """A repository of the Hub that holds the recordings, as its file system asks for them."""

    def log_message(self, *arguments):
        pass

    def answer(self, content, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        if "/resolve/" in self.path:
            content = WAVES[self.path.rsplit("/", 1)[1].split("?")[0]]
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first, last = (int(asked[1]), int(asked[2] or len(content) - 1)) if asked else (0, len(content) - 1)
            part = content[first : last + 1]
            self.answer(part, 206 if asked else 200, Content_Range=f"bytes {first}-{last}/{len(content)}")
            return
        files = [{"type": "file", "oid": "2" * 40, "size": len(WAVES[name]), "path": name} for name in WAVES]
        about = files if "/tree/" in self.path else {"id": "org/data", "sha": "1" * 40, "siblings": []}
        self.answer(json.dumps(about).encode(), Content_Type="application/json")


def test_recordings_of_a_data_set_of_plain_files_on_the_hub_are_read(plain, load, monkeypatch):
    from huggingface_hub import HfFileSystem

    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{hub.server_port}"
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    HfFileSystem.clear_instance_cache()
    try:
        stream = addressed(plain, "hf://datasets/org/data@main/{}").to_iterable_dataset()
        assert_same(load(stream), load(plain))
    finally:
        HfFileSystem.clear_instance_cache()
        hub.shutdown()


def test_a_recording_that_is_not_at_its_address_is_dropped_with_the_reason(
    plain, server, archive, make_tokenizer, make_config, make_settings
):
    data = addressed(plain, server[0] + "/gone/{}")
    _, report = select(data, make_tokenizer(), make_config(sampling_rate=RATE), Columns(), make_settings().clip_filter)
    assert report.dropped.total() == 3 and "/gone/0.wav cannot be read: FileNotFoundError" in str(report)
    for path in (f"zip://gone.wav::{archive}", "zip://a.wav::nowhere.zip", "unheard-of://a.wav"):
        with pytest.raises(ValueError, match=re.escape(path) + " cannot be read: "):
            read_audio({"bytes": None, "path": path}, RATE)
    assert with_content("a.wav") == "a.wav" and with_content({"bytes": b"x", "path": "hf://a"})["bytes"] == b"x"


def test_a_data_set_of_another_class_is_read_as_it_is(plain):
    class Rows(list):
        column_names = ["text", "audio"]

    rows = Rows([{"text": "a", "audio": "a.wav"}])
    assert plain_rows(rows, ["text"]) is rows
    check_data(rows, Columns())


def test_advice_names_the_column_of_the_sound():
    def stream():
        raise ImportError("torchcodec")
        yield

    with pytest.raises(ValueError, match=r"cast_column\('clip', "):
        list(rows_of(stream(), "clip"))


datasets = pytest.importorskip("datasets")


@pytest.mark.parametrize("value", [None, "", " ", math.nan])
def test_a_cell_without_a_name_is_nobody(value):
    assert speaker_name(value) is None


@pytest.mark.parametrize(("value", "name"), [(" ann ", "ann"), (7, "7"), (7.0, "7"), ("7", "7"), ("7.5", "7.5")])
def test_a_name_is_what_stands_between_blanks_and_a_number_that_of_its_digits(value, name):
    assert speaker_name(value) == name


def test_the_number_of_a_name_is_the_name_and_that_of_none_is_nobody():
    labels = datasets.ClassLabel(names=["zoe", "ann"])
    assert [speaker_name(value, labels) for value in (0, 1, -1, None, "ann")] == ["zoe", "ann", None, None, "ann"]


datasets = pytest.importorskip("datasets")


@pytest.mark.parametrize("value", [None, "", " ", math.nan])
def test_cells_without_a_name_name_nobody(value):
    assert speakers_of("who", datasets.Dataset.from_dict({"who": [value]})) == []


def test_names_of_equal_numbers_have_one_order_whatever_that_of_their_rows():
    for names in (["1", "01", "001", "2"], ["2", "001", "1", "01"]):
        assert speakers_of("who", datasets.Dataset.from_dict({"who": names})) == ["001", "01", "1", "2"]


def test_several_speakers_are_not_trained_as_one_voice_unless_that_is_said(caplog):
    data = datasets.Dataset.from_dict({"speaker_id": [1, 0, 1]}).cast_column(
        "speaker_id", datasets.ClassLabel(names=["zoe", "ann"])
    )
    with pytest.raises(ValueError, match=r"'speaker_id' .*2 speakers \(ann, zoe\).*`--speaker_column speaker_id`"):
        check_speakers_are_not_mixed(data, None)
    for unmixed, column in ((data, ""), (data, "speaker_id"), (data.select([0, 2]), None)):
        check_speakers_are_not_mixed(unmixed, column)
    assert not caplog.messages
    check_speakers_are_not_mixed(data.to_iterable_dataset(), None)
    assert "`--speaker_column speaker_id`" in caplog.text
