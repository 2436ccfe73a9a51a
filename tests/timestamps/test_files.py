"""Files of timestamps, whatever their format."""

import random

import pytest

from hf_vits.timestamps import write_timestamps
from hf_vits.timestamps.formats import FORMATS


def test_cues_hold_the_sentences_with_all_their_marks_and_spaces(cues, timestamps):
    shown = " ".join(line for cue in cues for line in cue.text.split("\n"))
    assert "".join(shown.split()) == "".join("".join(item["text"] for item in timestamps["sentence"]).split())
    assert '"a" \\N b…' in shown and "“Smith” — & <b>" in shown and "你好。" in shown


@pytest.mark.parametrize("ending", list(FORMATS))
def test_speech_without_words_is_a_file_without_cues(ending, tmp_path):
    file = tmp_path / f"a.{ending}"
    write_timestamps(file, {"sentence": [{"text": "...", "start": 0.0, "end": 1.0}], "word": []})
    assert file.exists() and "-->" not in file.read_text()


def test_random_speech_has_the_same_cues_in_every_format(tmp_path):
    srt, webvtt = pytest.importorskip("srt"), pytest.importorskip("webvtt")
    choice, at, found = random.Random(5), 0.0, {"sentence": [], "word": []}
    for _ in range(40):
        words = [
            "".join(choice.choices("abcé日,'", k=choice.randint(1, 9))) + "x" for _ in range(choice.randint(1, 25))
        ]
        begin = at
        for word in words:
            start, at = at, at + choice.choice([0, 0.1, 0.25, 0.5])
            found["word"].append({"text": word, "start": start, "end": at})
        at += 0.2
        found["sentence"].append({"text": "  ".join(words) + ".", "start": begin, "end": at})
    for ending in ("srt", "vtt"):
        write_timestamps(tmp_path / f"a.{ending}", found)
    cues = list(srt.parse((tmp_path / "a.srt").read_text(encoding="utf-8")))
    assert [cue.content for cue in cues] == [caption.text for caption in webvtt.read(tmp_path / "a.vtt").captions]
    assert len(cues) > 40 and all(a.end <= b.start for a, b in zip(cues, cues[1:], strict=False))


def test_a_wrong_call_is_an_error_and_writes_nothing(timestamps, tmp_path):
    with pytest.raises(ValueError, match=r"'\.sub'.*\.srt, \.vtt, \.ass"):
        write_timestamps(tmp_path / "a.sub", timestamps)
    for wrong in ({"word": timestamps["word"]}, timestamps["word"]):
        with pytest.raises(ValueError, match="sentence.*return_timestamps=True"):
            write_timestamps(tmp_path / "a.srt", wrong)
    with pytest.raises(ValueError, match="'no' is in no sentence"):
        write_timestamps(tmp_path / "a.srt", {**timestamps, "word": [{"text": "no", "start": 0, "end": 1}]})
    with pytest.raises(FileNotFoundError, match="no folder"):
        write_timestamps(tmp_path / "none" / "a.srt", timestamps)
    assert list(tmp_path.iterdir()) == []
