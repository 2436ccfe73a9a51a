"""Every kind of bad row in one data set: the run goes on without it, says which and why, and loses nothing else."""

import io
import logging

import numpy as np
import pytest
import soundfile
import torch

from hf_vits.training import Columns

RATE = 2000


def wave(seconds, name, rate=RATE, channels=1, bad=None):
    time = np.arange(int(seconds * rate)) / rate
    samples = np.stack([0.2 * np.sin(2 * np.pi * 200 * (1 + channel) * time) for channel in range(channels)], axis=1)
    if bad is not None:
        samples[len(samples) // 2] = bad
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return {"bytes": file.getvalue(), "path": name}


ROWS = {
    "good": ("a hope", wave(0.5, "good.wav")),
    "corrupt": ("a hope", {"bytes": b"RIFF but nothing of the kind", "path": "corrupt.wav"}),
    "stereo": ("a hope", wave(0.5, "stereo.wav", channels=2)),
    "empty": ("a hope", wave(0, "empty.wav")),
    "8 kHz": ("a hope", wave(0.5, "telephone.wav", rate=8000)),
    "two minutes": ("a hope", wave(120, "long.wav")),
    "no text": (None, wave(0.5, "silent.wav")),
    "NaN": ("a hope", wave(0.5, "damaged.wav", bad=np.nan)),
    "infinite": ("a hope", wave(0.5, "endless.wav", bad=np.inf)),
    "unsayable": ("¿a hope? ¿no?", wave(0.55, "foreign.wav")),
    "gone": ("a hope", {"bytes": None, "path": "no-such-file.wav"}),
    "also good": ("feed me", wave(0.6, "fine.wav")),
}
NUMBER = {name: number for number, name in enumerate(ROWS)}
GOOD = {NUMBER[name] for name in ("good", "stereo", "8 kHz", "unsayable", "also good")}
TABLES = {
    False: """\
kept          5  clips, 0.0 minutes
dropped       4  text or audio that cannot be read; first row 1 (corrupt.wav): corrupt.wav cannot be read
dropped       1  shorter than 0.1 s; first row 3 (empty.wav): 0.00 s
dropped       1  longer than 20 s; first row 5 (long.wav): 120.00 s
dropped       1  no text; first row 6 (silent.wav)
left out of texts, because the voice does not know them: '?' x2, '¿' x2""",
    True: """\
kept          7  clips, 0.1 minutes
dropped       2  text or audio that cannot be read; first row 1 (corrupt.wav): corrupt.wav cannot be read
dropped       1  shorter than 0.1 s; first row 3 (empty.wav): 0.00 s
dropped       1  longer than 20 s; first row 5 (long.wav): 120.00 s
dropped       1  no text; first row 6 (silent.wav)
noted         2  clips whose sound cannot be decoded; others are taken in their place; first row 7 (damaged.wav): it \
holds samples that are NaN or infinite.
left out of texts, because the voice does not know them: '?' x2, '¿' x2""",
}


@pytest.fixture
def data(make_data):
    texts, sounds = zip(*ROWS.values(), strict=True)
    return make_data(len(ROWS), text=list(texts), audio=list(sounds))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_goes_on_without_bad_rows_and_says_which_they_are_and_why(make_trainer, data, streamed, caplog):
    caplog.set_level(logging.INFO, "hf_vits")
    trainer = make_trainer(
        data=data.to_iterable_dataset() if streamed else data, per_device_train_batch_size=4, max_steps=2
    )
    seen, tables_logged, align = set(), [], trainer.generator.module.align

    def looked_at(batch, *arguments, **options):
        seen.update(batch.rows.tolist())
        tables_logged.append(len([message for message in caplog.messages if "\nkept" in message]))
        return align(batch, *arguments, **options)

    trainer.generator.module.align = looked_at
    progress = trainer.train()
    assert (progress.step, progress.skipped_steps) == (2, 0)
    assert seen == GOOD, "every good clip, and no other"
    assert all(torch.isfinite(parameter).all() for parameter in trainer.generator.parameters)

    tables = [message.split(":\n", 1)[1] for message in caplog.messages if "\nkept" in message]
    assert tables_logged[0] == 1, "before the first step"
    found, expected = (
        [line.split(": Format not")[0] for line in table.splitlines()] for table in (tables[0], TABLES[streamed])
    )
    assert found == expected and len(tables) == 1
    assert not [message for message in caplog.messages if "lacks parts of the text" in message], "once is enough"
    for name, kind in (("NaN", "damaged"), ("infinite", "endless")):
        warned = [message for message in caplog.messages if f"row {NUMBER[name]} ({kind}.wav): left out" in message]
        assert bool(warned) == streamed  # a split was looked at before
        assert not warned or f"{kind}.wav holds samples that are NaN or infinite" in warned[0]


@pytest.mark.parametrize("streamed", [False, True])
def test_an_unknown_column_stops_a_run_before_its_first_step_and_lists_the_columns(make_trainer, data, streamed):
    data = data.to_iterable_dataset() if streamed else data
    with pytest.raises(ValueError, match=r"no column 'sound'; its columns are 'text', 'audio'.*`audio_column`"):
        make_trainer(data=data, columns=Columns(audio="sound"))


def test_data_without_a_good_row_stops_a_run_before_its_first_step_with_the_table(make_trainer, data):
    with pytest.raises(ValueError, match=r"No clip can be trained on.\nkept +0 +clips(.*\n)+.*no text; first row 1 \("):
        make_trainer(data=data.select([NUMBER["two minutes"], NUMBER["no text"]]))
