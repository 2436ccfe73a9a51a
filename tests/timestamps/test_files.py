"""Files of timestamps, as other programs read them."""

import json
import random
import re

import pytest

from hf_vits.timestamps import write_timestamps
from hf_vits.timestamps.formats import FORMATS, SpeechTimes

TEXTS = ["Dr. “Smith” — & <b> paid {3}\\n, --> ok?", "я", 'No;  "a" \\N b…', "[[hə lˈoʊ]] 你好。", "Yes."]
PLACES = [
    [("Dr.", 1), ("“Smith”", 1), ("&", 0), ("<b>", 1), ("paid", 1), ("{3}\\n,", 1), ("-->", 0), ("ok?", 1)],
    [("я", 0)],
    [("No;", 1), ('"a"', 1), ("\\N", 1), ("b…", 1)],
    [("[[hə lˈoʊ]]", 1), ("你", 1), ("好。", 1)],
    [("Yes.", 1)],
]


@pytest.fixture
def timestamps():
    """Five sentences, one of which is not spoken; words take a third of a second each, or no time."""
    at, found = 0.0, {"sentence": [], "word": [], "phoneme": []}
    for text, words in zip(TEXTS, PLACES, strict=True):
        begin = at
        for word, length in words:
            end = at + length / 3
            found["word"].append({"text": word, "start": at, "end": end})
            found["phoneme"] += [{"text": "ˈə", "start": at, "end": end}] * length
            at = end + 0.25 * length
        found["sentence"].append({"text": text, "start": begin, "end": at})
    return found


@pytest.fixture
def write(timestamps, tmp_path):
    def write(name):
        write_timestamps(tmp_path / name, timestamps)
        return tmp_path / name

    return write


@pytest.fixture
def cues(timestamps):
    return SpeechTimes("a", timestamps["sentence"], timestamps["word"]).cues


def test_cues_hold_the_sentences_with_all_their_marks_and_spaces(cues):
    shown = " ".join(line for cue in cues for line in cue.text.split("\n"))
    assert "".join(shown.split()) == "".join("".join(TEXTS).split())
    assert '"a" \\N b…' in shown and "“Smith” — & <b>" in shown and "你好。" in shown


def test_subrip_is_read_by_the_package_srt(write, cues):
    srt = pytest.importorskip("srt")
    found = list(srt.parse(write("a.srt").read_text(encoding="utf-8")))
    assert [item.index for item in found] == list(range(1, len(cues) + 1))
    for item, cue in zip(found, cues, strict=True):
        assert item.content == cue.text
        assert item.start.total_seconds() == pytest.approx(cue.start, abs=0.00051)
        assert item.end.total_seconds() == pytest.approx(cue.end, abs=0.00051)


def test_webvtt_is_read_by_the_package_webvtt(write, cues):
    webvtt = pytest.importorskip("webvtt")
    found = webvtt.read(str(write("a.vtt"))).captions
    for caption, cue in zip(found, cues, strict=True):
        assert caption.start_in_seconds == int(cue.start) and caption.end_in_seconds == int(cue.end)
        shown = caption.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert shown.split() == cue.text.split()


def test_the_karaoke_tags_of_webvtt_increase_and_are_the_words_that_begin_within_a_cue(write, cues):
    blocks = write("a.vtt").read_text(encoding="utf-8").split("\n\n")
    assert blocks[0] == "WEBVTT" and len(blocks) == len(cues) + 1
    for block, cue in zip(blocks[1:], cues, strict=True):
        times, text = block.split("\n", 1)
        start, end = times.split(" --> ")
        tags = re.findall(r"<(\d\d:\d\d:\d\d\.\d{3})>", text)
        assert [start, *tags, end] == sorted({start, *tags, end})
        assert len(tags) == len({word.start for word in cue.words} - {cue.start})
        assert "-->" not in text


def test_karaoke_of_advanced_substation_is_read_by_pysubs2_and_sums_to_its_cues(write, cues):
    pysubs2 = pytest.importorskip("pysubs2")
    found = pysubs2.load(str(write("a.ass")))
    for event, cue in zip(found, cues, strict=True):
        assert (event.start, event.end) == (round(cue.start * 100) * 10, round(cue.end * 100) * 10)
        lengths = [int(part.split("}")[0]) for part in event.text.split("{\\k")[1:]]
        assert sum(lengths) * 10 == event.end - event.start and len(lengths) == len(cue.words)
        shown = event.text.replace("\\{", "(").replace("\\}", ")")
        for part in shown.split("{\\k")[1:]:
            shown = shown.replace("{\\k" + part.split("}")[0] + "}", "", 1)
        expected = cue.text.replace("\n", "\\N").replace("{", "(").replace("}", ")")
        assert shown.replace("\u2060", "") == expected


def test_a_textgrid_is_read_by_praatio_and_covers_the_whole_speech(write, timestamps):
    textgrid = pytest.importorskip("praatio.textgrid")
    found = textgrid.openTextgrid(str(write("a.TextGrid")), includeEmptyIntervals=True, reportingMode="error")
    end = timestamps["sentence"][-1]["end"]
    assert found.tierNames == ("words", "phones") and (found.minTimestamp, found.maxTimestamp) == (0, end)
    for name, unit in (("words", "word"), ("phones", "phoneme")):
        entries = found.getTier(name).entries
        bounds = [0, *(bound for entry in entries for bound in (entry.start, entry.end)), end]
        assert bounds[::2] == bounds[1::2]
        spoken = [item for item in timestamps[unit] if item["start"] < item["end"]]
        labelled = [entry for entry in entries if entry.label]
        assert [(entry.start, entry.end) for entry in labelled] == [(item["start"], item["end"]) for item in spoken]
        labels = " ".join(entry.label for entry in labelled)
        assert labels.split() == " ".join(item["text"] for item in timestamps[unit]).split()


def test_json_holds_the_lists(write, timestamps):
    found = json.loads(write("a.json").read_text(encoding="utf-8"))
    assert found == {"duration": timestamps["sentence"][-1]["end"], **timestamps}


def test_lines_of_words_have_their_fields(write, timestamps):
    words = timestamps["word"]
    lines = [line.split("\t") for line in write("a b.txt").read_text(encoding="utf-8").splitlines()]
    assert [line[2] for line in lines] == [word["text"] for word in words]
    assert [float(line[0]) for line in lines] == pytest.approx([word["start"] for word in words], abs=1e-6)
    assert [float(line[1]) for line in lines] == pytest.approx([word["end"] for word in words], abs=1e-6)
    lines = [line.split() for line in write("a b.ctm").read_text(encoding="utf-8").splitlines()]
    assert {(line[0], line[1], len(line)) for line in lines} == {("a_b", "1", 5)}
    assert [float(line[3]) for line in lines] == pytest.approx([w["end"] - w["start"] for w in words], abs=1e-6)
    assert [line[4] for line in lines] == ["_".join(word["text"].split()) for word in words]


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
