"""What a run leaves is decided by voice, texts, seed and settings, however and in how many pieces it was made."""

import json
import logging
import os
from datetime import date

import datasets
import numpy as np
import pytest
import torch
from stub_hub import Hub
from synthesis_run import run

from hf_vits import VitsModel
from hf_vits.synthesis import SynthesisSettings, row_generator, synthesize
from hf_vits.synthesis.output_folder import STATE
from hf_vits.synthesis.run import load_voice, speak_batch
from hf_vits.utils.run_lock import FolderInUse, run_lock

STEP = 1  # of 16 bits: what rounding may change


def quantized(waveform):
    """float (T_wav,) -> int16 (T_wav,)."""
    return np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)


def assert_same(left, right):
    """Two folders hold the same rows, and the same sound to rounding."""
    assert [row["file_name"] for row in left] == [row["file_name"] for row in right]
    for one, other in zip(left, right, strict=True):
        assert {**one, "samples": 0} == {**other, "samples": 0}
        assert one["samples"].shape == other["samples"].shape
        assert np.abs(one["samples"].astype(int) - other["samples"]).max() <= STEP


def test_each_row_is_what_the_pipeline_says_with_its_generator_in_the_order_of_the_rows(
    spoken, table, make_voice, make_texts, speakers
):
    texts = ["A hope. Feed me. No", "cab", "A man had a map. He came home", "oak", "i"]
    who = ["ada", "1", "cem", "bea", "ada"]
    voice = make_voice(**speakers)
    file = make_texts([{"text": text, "who": name} for text, name in zip(texts, who, strict=True)])
    controls = {"speaking_rate": 0.8, "noise_scale": 0.5, "noise_scale_duration": 0.3, "pause": 0.1}
    folder = spoken(
        dataset_name=file, voice=voice, speaker_column="who", seed=3, per_device_eval_batch_size=3, **controls
    )
    pipe, rows = load_voice(str(voice)), table(folder)
    assert [row["text"] for row in rows] == texts and [row["who"] for row in rows] == who
    for number, row in enumerate(rows):
        speaker = int(who[number]) if who[number].isdecimal() else who[number]
        alone = pipe(texts[number], speaker_id=speaker, generator=row_generator(3, number), **controls)
        assert row["rate"] == alone["sampling_rate"] and row["seconds"] == len(alone["audio"]) / row["rate"]
        assert row["samples"].shape == alone["audio"].shape
        assert np.abs(row["samples"].astype(int) - quantized(alone["audio"])).max() <= STEP
        assert row["samples"].std() > 100


@pytest.mark.thorough
def test_one_speaker_of_several_speaks_all_by_name_or_number(spoken, table, make_voice, speakers):
    voice = make_voice(**speakers)
    by_name, by_number, other = (
        table(spoken(voice=voice, speaker_id=who, output_dir=who)) for who in ("bea", "1", "cem")
    )
    assert_same(by_name, by_number)
    assert not np.array_equal(by_name[0]["samples"], other[0]["samples"])


@pytest.mark.parametrize("strict", [False, True])
def test_texts_with_letters_that_the_voice_lacks_are_spoken_unless_strict(spoken, table, make_texts, strict):
    file = make_texts([{"text": text} for text in ("A hope.", "a zoo", "cab")])
    rows = table(spoken(dataset_name=file, strict=strict))
    assert [row["text"] for row in rows] == (["A hope.", "cab"] if strict else ["A hope.", "a zoo", "cab"])


@pytest.mark.thorough
def test_two_processes_that_speak_one_text_at_a_time_make_what_one_makes_of_four(settings, spoken, table):
    codes, messages = run(settings(output_dir="two", per_device_eval_batch_size=1), processes=2)
    assert codes == [0, 0], messages
    shares = [list(map(int, message.split())) for message in messages]
    assert sorted(sum(shares, [])) == list(range(8)) and len(shares[0]) == len(shares[1])
    alone = spoken()
    assert_same(table(alone), table(alone.parent / "two"))
    assert (alone / "metadata.jsonl").read_bytes() == (alone.parent / "two" / "metadata.jsonl").read_bytes()


@pytest.mark.thorough
@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_continues_and_ends_as_if_it_had_never_been_killed(settings, spoken, table, processes):
    codes, _ = run(settings(output_dir="killed", per_device_eval_batch_size=1), processes, killed_at=3)
    whole = spoken()
    killed = whole.parent / "killed"
    kept = {file: file.stat().st_mtime_ns for file in killed.glob("audio/*/[0-9]*.flac")}
    assert -9 in codes and 0 < len(kept) < 8 and not (killed / "metadata.jsonl").exists()
    assert list(killed.glob("audio/*/.*")), "nothing was half written"

    assert spoken(output_dir="killed", per_device_eval_batch_size=2) == killed
    assert_same(table(whole), table(killed))
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    names = [{str(file.relative_to(folder)) for file in folder.rglob("*")} for folder in (whole, killed)]
    assert names[0] == names[1]


def test_a_file_that_is_damaged_or_gone_is_made_again(spoken, table):
    folder = spoken()
    before = table(folder)
    (folder / before[1]["file_name"]).write_bytes(b"fLaC")
    (folder / before[2]["file_name"]).unlink()
    spoken()
    assert_same(before, table(folder))


def test_if_one_process_fails_all_end_with_what_it_says(settings):
    codes, messages = run(settings(output_dir="failed", per_device_eval_batch_size=1), processes=2, failing_at=3)
    assert codes == [1, 1]
    assert sorted(messages)[1] == "no space is left"
    assert "failed, so all processes end. OSError: no space is left" in sorted(messages)[0]


def test_rows_that_cannot_be_said_are_skipped_and_reported_with_what_the_voice_does_not_know(
    spoken, table, make_texts, caplog, monkeypatch
):
    logged = []
    monkeypatch.setattr("hf_vits.synthesis.run.speak_batch", lambda *_: logged.append(list(caplog.messages)) or 1 / 0)
    file = make_texts(["cab", None, "hi z", "  ", "ZZ→", "a quiz"])
    with pytest.raises(ZeroDivisionError):
        spoken(dataset_name=file)
    (before_the_first_batch,) = logged[0]
    assert before_the_first_batch.splitlines() == [
        "3 of 6 rows are skipped:",
        "  rows  reason                             numbers",
        "     2  no text                            1, 3",
        "     1  no character that the voice knows  4; the first is 'ZZ→'",
        "Characters that the voice does not know, dropped from texts: 'z' x2, 'q' x1, 'u' x1",
    ]
    monkeypatch.undo()
    folder = spoken(dataset_name=file)
    assert [row["text"] for row in table(folder)] == ["cab", "hi z", "a quiz"]
    skipped = [json.loads(line) for line in (folder / ".synthesis" / "skipped.jsonl").read_text().splitlines()]
    assert [row["number"] for row in skipped] == [1, 3, 4]
    assert [record for record in caplog.records if record.name == "hf_vits.tokenization_vits"] == []


@pytest.fixture
def make_voice_that_refuses(make_voice, make_tokenizer):
    """A voice with damaged weights: the durations of a text with one of these letters are not finite."""

    def make(letters):
        voice = make_voice("damaged")
        model = VitsModel.from_pretrained(voice)
        with torch.no_grad():
            ids = make_tokenizer().convert_tokens_to_ids(list(letters))
            model.text_encoder.embed_tokens.weight[ids] = 3e38  # finite, and too large
        model.save_pretrained(voice)
        return voice

    return make


@pytest.mark.thorough
@pytest.mark.parametrize("processes", [1, 2])
def test_rows_that_the_model_refuses_are_skipped_by_whichever_process_and_the_others_spoken(
    settings, spoken, table, make_texts, make_voice_that_refuses, caplog, processes
):
    file, voice = make_texts(["cab", "oak", "oka", "hi"]), make_voice_that_refuses("k")
    codes, messages = run(
        settings(dataset_name=file, voice=voice, per_device_eval_batch_size=2, output_dir="refused"), processes
    )
    assert codes == [0] * processes, messages
    whole = spoken(dataset_name=file)
    refused = whole.parent / "refused"
    assert_same([table(whole)[number] for number in (0, 3)], table(refused))
    skipped = [json.loads(line) for line in (refused / ".synthesis" / "skipped.jsonl").read_text().splitlines()]
    assert [row["number"] for row in skipped] == [1, 2]
    assert all("durations are not finite" in row["detail"] for row in skipped)
    card = (refused / "README.md").read_text()
    assert (
        "| 2 | " in card and "2 of 4 rows are skipped:" in card and "model refuses  1, 2; the first is The pred" in card
    )

    times = {file: file.stat().st_mtime_ns for file in refused.rglob("*.flac")}
    spoken(dataset_name=file, voice=voice, per_device_eval_batch_size=2, output_dir="refused")
    assert "2 of 4 rows are skipped:" in caplog.text and (refused / "README.md").read_text() == card
    assert {file: file.stat().st_mtime_ns for file in refused.rglob("*.flac")} == times and len(times) == 2


@pytest.mark.thorough
def test_a_row_that_was_refused_is_tried_again(spoken, table, make_texts, monkeypatch):
    file = make_texts(["cab", "feed a big dog", "hi"])
    whole = spoken(dataset_name=file)
    longest = max(row["seconds"] for row in table(whole))
    frames = round(longest * 2000 / 8)  # of the tiny voice, at 2000 Hz
    monkeypatch.setattr("hf_vits.inference.limits.MAX_FRAMES_PER_ITEM", frames - 1)
    again = spoken(dataset_name=file, output_dir="again")
    assert [row["text"] for row in table(again)] == ["cab", "hi"]
    monkeypatch.undo()
    assert_same(table(whole), table(spoken(dataset_name=file, output_dir="again")))
    assert (again / ".synthesis" / "skipped.jsonl").read_text() == ""


def test_a_run_whose_texts_the_model_all_refuses_is_an_error(spoken, make_texts, make_voice_that_refuses, caplog):
    with pytest.raises(ValueError, match="None of the 2 texts can be spoken"):
        spoken(dataset_name=make_texts(["oak", ""]), voice=make_voice_that_refuses("k"))
    assert "2 of 2 rows are skipped:" in caplog.text and "the first is The predicted durations" in caplog.text


def test_texts_of_which_nothing_can_be_said_are_an_error(spoken, make_texts):
    with pytest.raises(ValueError, match="None of the 2 texts can be spoken"):
        spoken(dataset_name=make_texts(["ZZ", ""]))


CHANGES = {
    "seed": {"seed": 1},
    "speaking_rate": {"speaking_rate": 0.9},
    "noise_scale": {"noise_scale": 0.1},
    "noise_scale_duration": {"noise_scale_duration": 0.1},
    "pause": {"pause": 0.1},
}


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("name", "changes"), CHANGES.items(), ids=CHANGES)
def test_other_settings_are_refused_with_what_differs_and_the_same_ones_continue(spoken, name, changes):
    folder = spoken(dataset_name=None)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.*") if file.is_file()}
    with pytest.raises(ValueError, match=f"begun with other settings: {name} .*, now {changes[name]}. Give those"):
        spoken(**changes)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.*") if file.is_file()} == before


@pytest.mark.thorough
def test_another_dtype_is_refused_by_its_name_and_a_run_of_before_there_was_a_choice_continues(spoken, monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    file = spoken() / STATE / "identity.json"
    with pytest.raises(ValueError, match="other settings: dtype 'float32', now 'bfloat16'. Give those"):
        spoken(dtype="bfloat16")
    identity = json.loads(file.read_text())
    del identity["dtype"]
    file.write_text(json.dumps(identity))
    spoken()


@pytest.mark.thorough
def test_other_texts_voices_and_speakers_are_refused(spoken, make_texts, make_voice, speakers):
    spoken()
    with pytest.raises(ValueError, match="other settings: texts .*, now"):
        spoken(dataset_name=make_texts(["cab", "hi"], "others.jsonl"))
    with pytest.raises(ValueError, match="other settings: voice .*, now"):
        spoken(voice=make_voice("other", resblock_type="2"))
    several = make_voice("several", **speakers)
    spoken(voice=several, speaker_id="ada", output_dir="ada")
    with pytest.raises(ValueError, match="other settings: speaker 0, now 1"):
        spoken(voice=several, speaker_id="bea", output_dir="ada")


def test_what_does_not_change_the_sound_may_change(spoken, make_voice, make_texts, table):
    folder = spoken()
    before = table(folder)
    (folder / before[0]["file_name"]).unlink()
    spoken(per_device_eval_batch_size=1, voice=make_voice("moved"), dataset_name=make_texts(name="moved.jsonl"))
    assert_same(before, table(folder))


def test_a_folder_that_another_run_writes_to_is_refused_and_left_as_it_is(spoken, table):
    folder = spoken()
    before = table(folder)
    with (
        run_lock(folder, STATE / "run.lock"),
        pytest.raises(FolderInUse, match=f"Another run writes to {folder}: process {os.getpid()}"),
    ):
        spoken()
    assert_same(before, table(folder))


def test_a_run_that_was_killed_when_it_had_only_made_its_folder_continues(spoken, tmp_path):
    (tmp_path / "spoken" / ".synthesis").mkdir(parents=True)
    (tmp_path / "spoken" / ".synthesis" / ".identity.json-7").write_text("{")
    files = [file.name for file in spoken().iterdir()]
    assert sorted(files) == [".synthesis", "README.md", "audio", "metadata.jsonl"]
    assert not list((tmp_path / "spoken" / ".synthesis").glob(".*"))


def test_a_folder_that_is_not_of_a_run_is_refused_before_anything_is_read(spoken, tmp_path):
    (tmp_path / "spoken").mkdir()
    (tmp_path / "spoken" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="spoken is not empty, and no run has begun it. Give a new"):
        spoken(dataset_name="nowhere/texts.csv")
    assert [file.name for file in (tmp_path / "spoken").iterdir()] == ["thesis.txt"]


def test_datasets_reads_the_folder_with_every_column_that_text_can_hold(spoken, tmp_path, table, no_encoder):
    features = datasets.Features(
        {
            "audio": datasets.Audio(),
            "file_name": datasets.Value("string"),
            "text": datasets.Value("string"),
            "day": datasets.Value("date32"),
            "who": datasets.ClassLabel(names=["ann", "ben"]),
            "weights": datasets.List(datasets.Value("float32")),
        }
    )
    rows = {
        "audio": [None, None, None],
        "file_name": ["old.wav", "b.wav", "c.wav"],
        "text": ["cab", "", "hi"],
        "day": [date(2020, 1, 2), None, None],
        "who": [1, 0, 0],
        "weights": [[1.5, float("nan")], [], [2.0]],
    }
    data = datasets.Dataset.from_dict(rows, features=features)
    (tmp_path / "data").mkdir()
    data.to_parquet(tmp_path / "data" / "train.parquet")
    folder = spoken(dataset_name=tmp_path / "data")

    assert [row["day"] for row in table(folder)] == ["2020-01-02", None]
    read = datasets.load_dataset("audiofolder", data_dir=str(folder), split="train")
    read = read.cast_column("audio", datasets.Audio(decode=False))
    assert read["text"][:] == ["cab", "hi"] and read["who"][:] == ["ben", "ann"]
    assert read["file_name_original"][:] == ["old.wav", "c.wav"] and read["weights"][0] == [1.5, None]
    assert [row["path"].rsplit("/", 1)[1] for row in read["audio"]] == ["000000.flac", "000002.flac"]
    assert set(read.column_names) == {"audio", "text", "day", "who", "weights", "file_name_original", "seconds"}


def test_the_card_says_voice_license_texts_settings_and_hours_and_no_place(spoken, make_voice, table, tmp_path):
    voice = make_voice("mms-tts-eng")
    folder = spoken(voice=voice, seed=5, noise_scale=0.25)
    card = (folder / "README.md").read_text()
    hours = sum(row["seconds"] for row in table(folder)) / 3600
    assert f"| 8 | {hours:.2f} | 2,000 Hz |" in card
    assert "`mms-tts-eng`" in card and "**cc-by-nc-4.0**" in card and "Not for commercial use" in card
    assert "--seed 5" in card and "--noise_scale 0.25" in card and "--dataset_name texts.jsonl" in card
    assert "| torch |" in card and str(tmp_path) not in card


def test_a_card_that_somebody_wrote_stays(spoken):
    folder = spoken()
    (folder / "README.md").write_text("My own words.")
    spoken()
    assert (folder / "README.md").read_text() == "My own words."


def test_the_finished_folder_becomes_a_data_set_of_the_hub(online, spoken, table):
    folder = spoken(push_to_hub=True, hub_dataset_id="org/voice")
    assert Hub.created[0]["type"] == "dataset" and Hub.created[0]["name"] == "voice"
    files = {row["file_name"] for row in table(folder)}
    assert set(Hub.files) - {".gitattributes"} == {"README.md", "metadata.jsonl", *files}
    assert b'load_dataset("org/voice", split="train")' in Hub.files["README.md"]


def test_what_could_not_be_uploaded_does_not_begin(spoken, monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(PermissionError, match="The speech cannot be uploaded, nobody is logged in.*`hf auth login`"):
        spoken(push_to_hub=True, hub_dataset_id="org/voice", dataset_name="nowhere/texts.csv")


def test_a_speaker_that_is_missing_or_unknown_is_reported_first(spoken, make_voice, make_texts, speakers, caplog):
    voice = make_voice(**speakers)
    with pytest.raises(ValueError, match="3 speakers.*none was chosen"):
        spoken(voice=voice)
    file = make_texts([{"text": "cab", "who": ""}, {"text": "hi", "who": "zoe"}])
    with pytest.raises(ValueError, match="In row 1: There is no speaker 'zoe' in this model; its speakers are .*'ada'"):
        spoken(voice=voice, dataset_name=file, speaker_column="who")
    file = make_texts([{"text": "cab", "who": ""}, {"text": "hi", "who": "ada"}])
    with caplog.at_level(logging.WARNING):
        spoken(voice=voice, dataset_name=file, speaker_column="who")
    assert "     1  no speaker  0" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text_column": "said"}, r"no column 'said'; their columns are 'text'"),
        ({"speaker_column": "who"}, r"no column 'who'"),
        ({"speaking_rate": 0.0}, "`speaking_rate` is 0.0; it must be a finite number above 0"),
        ({"noise_scale": -1.0}, "`noise_scale` is -1.0"),
        ({"split": "test"}, 'Unknown split "test"'),
    ],
)
def test_what_does_not_fit_is_reported_before_the_folder_is_made(spoken, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        spoken(**changes)
    assert not (tmp_path / "spoken").exists()


@pytest.mark.parametrize(
    "values", [{"per_device_eval_batch_size": 0}, {"seed": -1}, {"cpu_threads": 0}, {"pause": 61.0}, {"pause": -1.0}]
)
def test_a_value_out_of_range_is_an_error_that_says_the_range(values):
    name, value = next(iter(values.items()))
    with pytest.raises(ValueError, match=f"`{name}` is {value}; it must be"):
        SynthesisSettings(**values)


def test_one_speaker_and_a_column_of_them_are_one_too_many():
    with pytest.raises(ValueError, match="both given; give the one speaker"):
        SynthesisSettings(speaker_id="0", speaker_column="who")


def test_a_run_is_what_the_package_offers():
    assert synthesize.__module__ == "hf_vits.synthesis.run"


def test_texts_of_several_sentences_may_stand_anywhere_in_a_batch(make_voice, speakers):
    pipe = load_voice(str(make_voice(**speakers)))
    texts, who = ["Hi", "A hope. Feed me. No", "A map. He came home"], [0, 1, 2]
    together = speak_batch(pipe, texts, who, [row_generator(0, row) for row in range(3)], {"noise_scale": 0.9}, 0.1)
    for row, text in enumerate(texts):
        alone = pipe(text, speaker_id=who[row], generator=row_generator(0, row), noise_scale=0.9, pause=0.1)["audio"]
        np.testing.assert_allclose(together[row], alone, rtol=0, atol=1e-5)


def test_the_noise_of_a_row_depends_on_the_seed_and_its_number():
    first = [row_generator(seed, row).initial_seed() for seed, row in [(0, 1), (1, 0), (0, 1), (0, 2)]]
    assert first[0] == first[2] and len(set(first)) == 3


def test_documents_of_ssml_are_spoken_as_the_pipeline_speaks_them(make_voice):
    pipe, texts = load_voice(str(make_voice())), ["a hope", '<speak>A <break time="0.1s"/> hope. Feed me.</speak>']
    spoken = speak_batch(pipe, texts, [None, None], [row_generator(3, row) for row in (0, 1)], {}, pause=0.2)
    for row, (samples, text) in enumerate(zip(spoken, texts, strict=True)):
        expected = pipe(text, generator=row_generator(3, row), pause=0.2)["audio"]
        np.testing.assert_allclose(samples, expected, atol=1e-5)
