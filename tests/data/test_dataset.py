import io
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from hf_vits.data.columns import speakers_of
from hf_vits.data.dataset import OTHER_SCRIPT, ClipFilter, Columns, VitsDataset, collate, refuse_other_scripts, select

datasets = pytest.importorskip("datasets")
RATE = 16_000


def sound(seconds, rate=RATE, channels=1, seed=0):
    samples = np.random.default_rng(seed).normal(size=(int(seconds * rate), channels)) * 0.1
    return samples[:, 0] if channels == 1 else samples


def encoded(samples, rate=RATE, kind="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return {"bytes": file.getvalue(), "path": f"clip.{kind.lower()}"}


@pytest.fixture
def config(make_config):
    return make_config(upsample_rates=[8, 8, 2, 2], upsample_kernel_sizes=[16, 16, 4, 4], spectrogram_bins=513)


def table(**columns):
    return datasets.Dataset.from_dict(columns)


class Rows(list):
    """As a data set gives rows whose samples are of different types, which no table holds."""

    column_names, features = ["text", "audio"], None

    def __getitem__(self, row):
        return {"text": "a hope", "audio": super().__getitem__(row)}


@pytest.fixture
def audio():
    return datasets.Audio(decode=False)


def test_bad_rows_are_dropped_counted_and_named(config, make_tokenizer, audio):
    rows = {
        "good": ("a hope", encoded(sound(1))),
        "no text": ("", encoded(sound(1))),
        "missing text": (None, encoded(sound(1))),
        "nothing to say": ("***", encoded(sound(1))),
        "corrupt": ("a hope", {"bytes": b"RIFFnonsense", "path": "broken.wav"}),
        "empty": ("a hope", encoded(np.zeros(0))),
        "too long": ("a hope", encoded(sound(30))),
        "too many tokens": ("a hope " * 20, encoded(sound(1))),
        "gone": ("a hope", {"bytes": None, "path": "nowhere.wav"}),
    }
    texts, sounds = zip(*rows.values(), strict=True)
    data = table(text=texts, audio=sounds).cast_column("audio", audio)
    clips, report = select(data, make_tokenizer(), config, Columns(), ClipFilter())
    assert [clip.row for clip in clips] == [0]
    assert sum(report.dropped.values()) == 8
    text = str(report)
    for part in (
        "no text; first row 1",
        "first row 4 (broken.wav)",
        "longer than 20 s; first row 6",
        "30.00 s",
        "first row 7",
    ):
        assert part in text, text


@pytest.mark.parametrize("form", ["bytes", "path", "plain path", "array", "decoder", "stereo", "8 kHz", "flac"])
def test_every_form_of_audio_gives_the_same_clip(config, make_tokenizer, audio, tmp_path, form):
    samples = sound(1)
    if form == "array":
        data = table(text=["a hope"], audio=[{"array": samples.tolist(), "sampling_rate": RATE}])
    elif form.endswith("path"):
        soundfile.write(tmp_path / "a.wav", samples, RATE)
        data = table(text=["a hope"], audio=[str(tmp_path / "a.wav")])
        data = data if form == "plain path" else data.cast_column("audio", datasets.Audio())
    elif form == "decoder":  # as torchcodec's, which gives channels first
        sound_of = SimpleNamespace(data=torch.tensor(np.stack([1.5 * samples, 0.5 * samples])), sample_rate=RATE)
        decoder = SimpleNamespace(get_all_samples=lambda: sound_of)
        data = table(text=["a hope"], audio=[0]).with_transform(lambda rows: {**rows, "audio": [decoder]})
    else:
        made = {
            "bytes": lambda: encoded(samples),
            "stereo": lambda: encoded(np.stack([1.5 * samples, 0.5 * samples], axis=1)),
            "8 kHz": lambda: encoded(sound(1, 8_000), 8_000),
            "flac": lambda: encoded(samples, kind="FLAC"),
        }[form]()
        data = table(text=["a hope"], audio=[made]).cast_column("audio", audio)
    clips, _ = select(data, make_tokenizer(), config, Columns(), ClipFilter())
    clip, waveform = VitsDataset(data, clips, "audio", config)[0]
    assert waveform.dtype == torch.float32 and abs(len(waveform) - clip.num_samples) <= 1
    if form != "8 kHz":
        np.testing.assert_allclose(waveform.numpy(), samples, rtol=0, atol=1e-4)


def test_speakers_are_numbered_by_their_sorted_names(config, make_tokenizer, audio, make_config):
    data = table(text=["a"] * 3, audio=[encoded(sound(1))] * 3, who=["zoe", "ann", "zoe"]).cast_column("audio", audio)
    names = speakers_of("who", data)
    assert names == ["ann", "zoe"]
    fields = {"num_speakers": 2, "speaker_embedding_size": 4, "speaker_names": names}
    clips, _ = select(data, make_tokenizer(), make_config(**fields), Columns(speaker="who"), ClipFilter())
    assert [clip.speaker_id for clip in clips] == [1, 0, 1]


def test_a_row_that_names_no_speaker_is_dropped_and_makes_none(config, make_tokenizer, audio, make_config):
    who = ["zoe", None, " ", "ann "]
    data = table(text=["a"] * 4, audio=[encoded(sound(1))] * 4, who=who).cast_column("audio", audio)
    assert speakers_of("who", data) == ["ann", "zoe"] == speakers_of("who", data.to_iterable_dataset())
    fields = {"num_speakers": 2, "speaker_embedding_size": 4, "speaker_names": ["ann", "zoe"]}
    clips, report = select(data, make_tokenizer(), make_config(**fields), Columns(speaker="who"), ClipFilter())
    assert [(clip.row, clip.speaker_id) for clip in clips] == [(0, 1), (3, 0)]
    assert report.dropped == {"no speaker": 2} and "first row 1 (clip.wav)" in str(report)


def test_a_column_of_numbers_of_names_gives_the_names(make_tokenizer, audio, make_config):
    data = table(text=["a"] * 3, audio=[encoded(sound(1))] * 3, who=[1, 0, None]).cast_column("audio", audio)
    data = data.cast_column("who", datasets.ClassLabel(names=["zoe", "ann"]))
    assert speakers_of("who", data) == ["ann", "zoe"] == speakers_of("who", data.to_iterable_dataset())
    fields = {"num_speakers": 2, "speaker_embedding_size": 4, "speaker_names": ["ann", "zoe"]}
    clips, _ = select(data, make_tokenizer(), make_config(**fields), Columns(speaker="who"), ClipFilter())
    assert [clip.speaker_id for clip in clips] == [0, 1]


def test_a_speaker_whom_the_voice_does_not_have_is_an_error_that_names_the_row(make_tokenizer, audio, make_config):
    data = table(text=["a"] * 2, audio=[encoded(sound(1))] * 2, who=["ann", "eve"]).cast_column("audio", audio)
    fields = {"num_speakers": 2, "speaker_embedding_size": 4, "speaker_names": ["ann", "zoe"]}
    with pytest.raises(ValueError, match=r"In row 1 \(clip.wav\): .*'eve'.*\['ann', 'zoe'\]"):
        select(data, make_tokenizer(), make_config(**fields), Columns(speaker="who"), ClipFilter())


def test_speakers_of_a_stream_are_read_without_decoding_its_audio():
    data = table(audio=[encoded(sound(0.1))], who=[3]).cast_column("audio", datasets.Audio())
    assert speakers_of("who", data.to_iterable_dataset()) == ["3"]


def test_a_column_that_is_not_there_is_an_error_that_says_which_are(config, make_tokenizer):
    with pytest.raises(ValueError, match=r"no column 'audio'.*columns are 'text', 'sound'.*audio_column"):
        select(table(text=["a"], sound=["b"]), make_tokenizer(), config, Columns(), ClipFilter())


def test_characters_the_voice_cannot_say_are_counted(config, make_tokenizer, audio):
    data = table(text=["a hope!", "no! ü"], audio=[encoded(sound(1))] * 2).cast_column("audio", audio)
    _, report = select(data, make_tokenizer(), config, Columns(), ClipFilter())
    assert report.unknown_characters == {"!": 2, "ü": 1}


def test_samples_on_an_unknown_scale_or_without_a_rate_are_dropped_before_the_first_step(config, make_tokenizer):
    """Lists of integers come from `datasets` as int64, on whose scale 16-bit speech would be silence."""
    good, full_scale = sound(1).tolist(), np.round(sound(1) * 32768).astype(int).tolist()
    bad = [{"array": full_scale, "sampling_rate": RATE}], [{"array": good, "sampling_rate": None}]
    for sounds, expected in zip(bad, ("int64", "`sampling_rate` None"), strict=True):
        data = Rows([*sounds, {"array": good, "sampling_rate": RATE}])
        clips, report = select(data, make_tokenizer(), config, Columns(), ClipFilter())
        assert [clip.row for clip in clips] == [1] and report.dropped == {"text or audio that cannot be read": 1}
        assert "first row 0: The audio" in str(report) and expected in str(report)


def test_a_clip_whose_samples_are_damaged_is_named_and_replaced(config, make_tokenizer, audio, caplog):
    damaged, good = sound(1.2), sound(1)
    damaged[100] = np.nan
    sounds = [encoded(samples, subtype="FLOAT") for samples in (damaged, good)]
    data = table(text=["a hope", "deaf"], audio=sounds).cast_column("audio", audio)
    clips, _ = select(data, make_tokenizer(), config, Columns(), ClipFilter())
    clip, waveform = VitsDataset(data, clips, "audio", config)[0]
    assert clip.row == 1 and len(waveform) == RATE
    assert "row 0 (clip.wav): left out, and row 1 (clip.wav) taken instead" in caplog.text and "NaN" in caplog.text


def test_data_of_which_nothing_can_be_decoded_is_an_error(config, make_tokenizer, audio):
    sounds = [encoded(np.full(RATE, np.nan), subtype="FLOAT"), encoded(np.zeros(RATE))]
    data = table(text=["a hope"] * 2, audio=sounds).cast_column("audio", audio)
    clips, _ = select(data, make_tokenizer(), config, Columns(), ClipFilter())
    with pytest.raises(ValueError, match="No clip can be decoded"):
        VitsDataset(data, clips, "audio", config)[0]


def test_a_batch_pads_tokens_and_samples_with_zeros(config, make_tokenizer, audio):
    data = table(text=["a hope", "deaf"], audio=[encoded(sound(1)), encoded(sound(0.7))]).cast_column("audio", audio)
    clips, _ = select(data, make_tokenizer(), config, Columns(), ClipFilter())
    dataset = VitsDataset(data, clips, "audio", config)
    batch = collate([dataset[0], dataset[1]])
    assert batch.input_ids.shape == (2, 13) and batch.text_lengths.tolist() == [13, 9]
    assert batch.waveform.shape == (2, 1, 16000) and batch.waveform_lengths.tolist() == [16000, 11200]
    assert not batch.waveform[1, :, 11200:].any() and batch.speaker_id is None


ENGLISH, RUSSIAN = "a long and good hope of a deep old man", "Она прошла по улице"


@pytest.fixture
def english(make_tokenizer):
    pytest.importorskip("espeakng_loader")
    return make_tokenizer(phonemize=True, phoneme_language="en-us")


def select_texts(texts, tokenizer, config, audio):
    data = table(text=texts, audio=[encoded(sound(6))] * len(texts)).cast_column("audio", audio)
    return select(data, tokenizer, config, Columns(), ClipFilter())


@pytest.mark.parametrize("kind", ["phonemes", "letters"])
@pytest.mark.parametrize("russian", [2, 4, 8])
def test_data_in_a_script_that_the_voice_cannot_read_are_refused_with_their_share(
    config, english, make_tokenizer, audio, kind, russian
):
    tokenizer = english if kind == "phonemes" else make_tokenizer()
    texts = [RUSSIAN] * russian + [ENGLISH] * (8 - russian)
    clips, report = select_texts(texts, tokenizer, config, audio)
    assert [clip.row for clip in clips] == list(range(russian, 8))
    with pytest.raises(ValueError, match=rf"{russian} of 8 rows \({russian / 8:.0%}\).*row 0.*Latin.*--language"):
        refuse_other_scripts(report)


@pytest.mark.parametrize("kind", ["phonemes", "letters"])
def test_a_row_of_another_script_among_many_is_dropped_with_the_reason(config, english, make_tokenizer, audio, kind):
    tokenizer = english if kind == "phonemes" else make_tokenizer()
    clips, report = select_texts([ENGLISH] * 5 + [RUSSIAN + " a hope"], tokenizer, config, audio)
    refuse_other_scripts(report)
    assert len(clips) == 5 and report.dropped == {OTHER_SCRIPT: 1}
    assert "'Она прошла по улице a hope'" in str(report)


def test_loan_letters_and_a_single_name_are_trained_on_and_reported(config, english, audio):
    texts = ["a café, an α and 5 µm of a Dvořák", f"{ENGLISH} and И"]
    clips, report = select_texts(texts, english, config, audio)
    refuse_other_scripts(report)
    assert len(clips) == 2
    assert report.other_scripts == {"И": 1} and "does not read: 'И' x1" in str(report)


def test_a_russian_voice_trains_on_texts_with_latin_names_but_not_on_english_ones(config, make_tokenizer, audio):
    pytest.importorskip("espeakng_loader")
    russian = make_tokenizer(phonemize=True, phoneme_language="ru")
    _, report = select_texts([RUSSIAN + " в Google и IBM", ENGLISH, ENGLISH], russian, config, audio)
    assert report.kept == 1 and report.dropped == {OTHER_SCRIPT: 2}
