"""What may be wrong with data is said before the run, by file and line, and nothing usable is left out for it."""

import numpy as np
import pytest
import soundfile

from hf_vits.training import Columns, read_folder
from hf_vits.training.dataloader import build_train_dataloader

pytest.importorskip("datasets")
RATE = 2000


def noise(seconds, seed, rate=RATE):
    return 0.1 * np.random.default_rng(seed).normal(size=int(seconds * rate))


def clipped(seed, level=1.0):
    return np.clip(3 * noise(1, seed), -0.3, 0.3) / 0.3 * level


def padded(seed):
    return np.concatenate([np.zeros(int(1.3 * RATE)), noise(2, seed), np.zeros(RATE // 10)])


@pytest.fixture
def report_of(tmp_path, make_tokenizer, make_config, make_settings):
    """The report on recordings, (samples, text) by name, and how many clips are trained on."""
    config = make_config(sampling_rate=RATE)

    def make(recordings):
        lines = ["file_name,text"]
        for name, (samples, text) in recordings.items():
            if samples is not None:
                soundfile.write(tmp_path / name, samples, RATE, subtype="FLOAT")
            lines.append(f"{name.split('?')[0]},{text}")
        (tmp_path / "metadata.csv").write_text("\n".join(lines))
        data, _ = read_folder(tmp_path)
        batches, report = build_train_dataloader(data, make_tokenizer(), config, Columns(), make_settings())
        assert len(batches.loader.dataset) == report.kept
        return report

    return make


GOOD = {f"{number}.wav": (noise(1, number), "a hope") for number in range(3)}


def test_good_clips_are_not_noted(report_of):
    report = report_of(GOOD | {"loud.wav": (0.999 * np.sin(np.arange(RATE) * 0.6), "a hope")})
    assert not report.noted and "noted" not in str(report) and report.checked == 4


STRANGE = {
    "clips whose sound is clipped": {"x.wav": (clipped(9), "a hope")},
    "sound is clipped": {"x.wav": (clipped(9, level=0.5), "a hope")},
    "begin or end with more than a second of silence": {"x.wav": (padded(9), "a hope")},
    "silent for most of their time": {"x.wav": (np.r_[noise(0.1, 9), np.zeros(600), noise(0.1, 8)], "a hope")},
    "channels cancel each other": {"x.wav": (np.stack([noise(1, 9), -noise(1, 9)], axis=1), "a hope")},
    "come twice, with the same text": {"x.wav": (noise(1, 1), " a  hope")},
    "with another text in another row": {"x.wav": (noise(1, 1), "feed me")},
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_may_be_wrong_with_a_clip_is_noted_with_its_line_and_the_clip_is_kept(report_of, kind):
    report = report_of(GOOD | STRANGE[kind])
    (line,) = [line for line in str(report).splitlines() if line.startswith("noted")]
    assert kind in line and "noted         1 " in line
    assert "first metadata.csv, line 5 (" in line and "x.wav): " in line
    assert report.kept == 4 and not report.dropped


def test_a_row_that_is_there_twice_is_noted_once(report_of):
    report = report_of(GOOD | {"1.wav?": (None, "a hope"), "2.wav?": (None, "feed me")})
    assert sorted(report.noted.values()) == [1, 1]
    assert "line 5" in str(report) and "as in metadata.csv, line 3 (" in str(report)
    assert "'feed me', and 'a hope' in metadata.csv, line 4" in str(report)


@pytest.mark.parametrize("seconds", [4.5, 0.4])
def test_a_text_that_is_much_too_long_or_short_for_its_sound_is_noted(report_of, seconds):
    lengths = [1 + 0.02 * (number % 7) for number in range(25)]
    clips = {f"{number}.wav": (noise(length, number), "a hope") for number, length in enumerate(lengths)}
    assert not report_of(clips).noted
    report = report_of(clips | {"x.wav": (noise(seconds, 99), "a hope")})
    assert report.noted == {"texts that are much too long or too short for their sound": 1}
    assert "line 27 (" in str(report) and "tokens per second, where half of the clips" in str(report)


def test_clips_without_sound_are_dropped_before_the_run(report_of):
    bad = {"x.wav": (np.zeros(RATE), "a hope"), "y.wav": (np.full(RATE, np.nan), "a hope")}
    report = report_of(GOOD | bad)
    assert report.kept == 3 and report.dropped == {"text or audio that cannot be read": 2}
    assert "line 5 (" in str(report) and "it holds no sound" in str(report)


def test_of_long_data_the_sound_of_some_clips_is_looked_at(report_of, monkeypatch):
    monkeypatch.setattr("hf_vits.data.audio_checks.MAX_SECONDS", 2.0)
    report = report_of(GOOD | {"x.wav": (noise(1, 9), "a hope")})
    assert report.checked == 2 and "The sound of 2 clips was looked at, of the others only the length." in str(report)
