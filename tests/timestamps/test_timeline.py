"""Timestamps of the pipeline, of streams and of the model's output, against the waveform and the durations."""

import random

import numpy as np
import pytest
import torch
import transformers

from hf_vits import TextToSpeechPipeline, VitsTokenizer
from hf_vits.timestamps import output_timestamps
from hf_vits.timestamps.timeline import UNITS
from hf_vits.timestamps.units import is_read

pytestmark = pytest.mark.usefixtures("without_gradients")

TEXT = "A hope! Feed me,  big bad fog.\n\nA man came; he do no good."
PAUSE = 0.1
NO_NOISE = {"noise_scale": 0.0, "noise_scale_duration": 0.0}


@pytest.fixture
def pipe(make_model, make_tokenizer):
    return TextToSpeechPipeline(make_model(), make_tokenizer())


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def in_samples(timestamps, rate=16_000):
    return [(item["text"], round(item["start"] * rate), round(item["end"] * rate)) for item in timestamps]


def sentences(count):
    """Sentences of random words, which are letters of the tiny vocabulary."""
    choice = random.Random(1)
    for _ in range(count):
        words = [
            "".join(choice.choices("abcdefghijklmnop", k=choice.randint(1, 7))) for _ in range(choice.randint(1, 9))
        ]
        yield " ".join(words).capitalize() + "."


@pytest.mark.thorough
def test_the_times_of_words_are_where_the_waveform_of_a_hundred_sentences_sounds(visible):
    texts = list(sentences(100))
    text = " ".join(texts)
    speech = visible(text, pause=PAUSE, return_timestamps="word", generator=seeded())
    sounds = np.flatnonzero(np.diff(speech["audio"], prepend=0, append=0))  # where it begins, where it ends, in turn
    found = in_samples(speech["timestamps"])
    assert [word for word, _, _ in found] == text.split() and len(found) > 300
    np.testing.assert_array_equal([times[1:] for times in found], sounds.reshape(-1, 2))
    streamed = list(visible.stream(text, pause=PAUSE, return_timestamps="word", generator=seeded()))
    np.testing.assert_array_equal(np.concatenate([chunk["audio"] for chunk in streamed]), speech["audio"])
    assert sum((chunk["timestamps"] for chunk in streamed), []) == speech["timestamps"]


def test_sentences_and_pauses_add_up_to_the_samples_of_the_speech(pipe):
    speech = pipe(TEXT, pause=PAUSE, return_timestamps="sentence")
    assert [sentence["text"] for sentence in speech["timestamps"]] == pipe.sentences(TEXT)
    ends = [0, *(end + 1600 for _, _, end in in_samples(speech["timestamps"]))]
    assert [start for _, start, _ in in_samples(speech["timestamps"])] == ends[:-1]
    assert speech["timestamps"][-1]["end"] == len(speech["audio"]) / speech["sampling_rate"]


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("chunk_frames", [None, 3])
def test_chunks_bring_what_begins_in_them_and_together_the_timestamps_of_a_call(pipe, unit, chunk_frames):
    text = f"{TEXT}\n\nя"
    whole = pipe(text, pause=PAUSE, return_timestamps=unit, generator=seeded())["timestamps"]
    done, found = 0, []
    for chunk in pipe.stream(text, pause=PAUSE, return_timestamps=unit, chunk_frames=chunk_frames, generator=seeded()):
        for _, start, end in in_samples(chunk["timestamps"]):
            assert done <= start < done + len(chunk["audio"]) or start == end == done + len(chunk["audio"])
        done, found = done + len(chunk["audio"]), found + chunk["timestamps"]
    assert found == whole and len(found) > 2


def test_a_stream_from_a_later_sentence_counts_from_its_own_beginning(pipe):
    noise, whole, state = seeded(), [], None
    for chunk in pipe.stream(TEXT, pause=PAUSE, return_timestamps="word", generator=noise):
        state = state if chunk["sentence"] else noise.get_state()
        whole.append(chunk)
    noise.set_state(state)
    rest = list(pipe.stream(TEXT, pause=PAUSE, return_timestamps="word", first_sentence=1, generator=noise))
    later = sum(len(chunk["audio"]) for chunk in whole if chunk["sentence"] == 0)
    expected = [item for chunk in whole if chunk["sentence"] for item in in_samples(chunk["timestamps"])]
    found = [item for chunk in rest for item in in_samples(chunk["timestamps"])]
    assert [(text, start + later, end + later) for text, start, end in found] == expected


@pytest.mark.parametrize("batch_size", [2, 3])
def test_texts_of_a_padded_batch_have_the_times_that_each_has_alone(pipe, batch_size):
    texts = ["a hope", TEXT, "big bad fog, a dog.", "deaf"]
    together = pipe(texts, return_timestamps=True, batch_size=batch_size, **NO_NOISE)
    assert [item["timestamps"] for item in together] == [
        pipe(text, return_timestamps=True, **NO_NOISE)["timestamps"] for text in texts
    ]
    assert set(together[0]["timestamps"]) == set(UNITS)


@pytest.mark.parametrize("side", ["left", "right"])
def test_times_of_the_models_output_are_sums_of_its_durations(make_model, make_tokenizer, side):
    model, tokenizer = make_model(), make_tokenizer(bos_token="p", eos_token="o")
    tokenizer.padding_side = side
    texts, frame = ["A hope", "Big bad. Fog"], model.hop_length / model.config.sampling_rate
    encoding = tokenizer(texts, padding=True, return_tensors="pt", return_offsets_mapping=True)
    out = model(encoding["input_ids"], encoding["attention_mask"])
    found = output_timestamps(tokenizer, texts, encoding, out.durations, model.config)
    for text, words, row, mask in zip(texts, found, out.durations, encoding["attention_mask"].bool(), strict=True):
        frames, place = row[mask].tolist(), 0
        assert [word["text"] for word in words] == text.split()
        for word in words:
            letters = word["text"].strip(".")
            first = 2 + 2 * text.index(letters, place)  # after BOS and the first blank
            place += len(word["text"]) + 1
            last = first + 2 * len(letters)
            assert word["start"] == pytest.approx(frame * sum(frames[:first]), abs=1e-9)
            assert word["end"] == pytest.approx(frame * sum(frames[:last]), abs=1e-9)
    one = tokenizer(texts[0], return_offsets_mapping=True)
    durations = out.durations[:1][encoding["attention_mask"][:1].bool()].unsqueeze(0)
    assert output_timestamps(tokenizer, texts[0], one, durations, model.config) == found[0]


def test_a_voice_without_blanks_has_times_too(make_model, make_tokenizer):
    model, tokenizer = make_model(), make_tokenizer(add_blank=False)
    encoding = tokenizer(["ab c."], return_tensors="pt", return_offsets_mapping=True)
    out = model(encoding["input_ids"], encoding["attention_mask"], durations=[[3, 1, 4, 1, 5]])
    (words,) = output_timestamps(tokenizer, ["ab c."], encoding, out.durations, model.config)
    assert in_samples(words, model.config.sampling_rate / model.hop_length) == [("ab", 0, 4), ("c.", 8, 9)]


@pytest.mark.parametrize("length", [6, 7])
@pytest.mark.parametrize(("side", "lost"), [("right", [False, True]), ("left", [True, False])])
def test_words_that_a_truncated_text_has_lost_are_empty(pipe, length, side, lost):
    pipe.tokenizer.truncation_side = side  # tokens and blanks take turns, so the first of them may be either
    speech = pipe("abc def", return_timestamps="word", preprocess_params={"truncation": True, "max_length": length})
    assert [item["start"] == item["end"] for item in speech["timestamps"]] == lost


def test_silence_that_given_durations_put_around_words_is_between_their_times(visible):
    tokenizer, model, choice = visible.tokenizer, visible.model, random.Random(4)
    texts = list(sentences(100))
    encoding = tokenizer(texts, padding=True, return_tensors="pt", return_offsets_mapping=True)
    ids = encoding["input_ids"]
    frames = [[25 if index in (0, 17) else choice.randint(1, 9) for index in row] for row in ids.tolist()]
    out = model(ids, encoding["attention_mask"], durations=frames, noise_scale=0.0)
    found = output_timestamps(tokenizer, texts, encoding, out.durations, model.config)
    for words, waveform, length in zip(found, out.waveform, out.sequence_lengths, strict=True):
        sounds = torch.cat([waveform[:length].new_zeros(1), waveform[:length], waveform.new_zeros(1)]).diff()
        bounds = sounds.nonzero().flatten().reshape(-1, 2).tolist()
        assert [list(times[1:]) for times in in_samples(words)] == bounds


def test_lines_of_which_nothing_is_spoken_are_there_without_time(pipe):
    speech = pipe("яя я.\n\nA hope.\n\nя!\n\nBig dog.\n\nя", return_timestamps=("sentence", "word"), **NO_NOISE)
    words = speech["timestamps"]["word"]
    assert [word["text"] for word in words] == ["яя", "я.", "A", "hope.", "я!", "Big", "dog.", "я"]
    assert [word["text"] for word in words if word["start"] == word["end"]] == ["яя", "я.", "я!", "я"]
    assert [item["text"] for item in speech["timestamps"]["sentence"]] == ["яя я.", "A hope.", "я!", "Big dog.", "я"]
    assert words[-1]["end"] == len(speech["audio"]) / speech["sampling_rate"]


def test_nothing_changes_for_whoever_asks_for_no_timestamps(pipe):
    plain, timed = (pipe(TEXT, return_timestamps=wanted, generator=seeded()) for wanted in (None, True))
    assert plain.keys() == {"audio", "sampling_rate"} == pipe("deaf", return_timestamps=False).keys()
    np.testing.assert_array_equal(plain["audio"], timed["audio"])
    assert all("timestamps" not in chunk for chunk in pipe.stream("deaf"))


@pytest.mark.parametrize("wanted", ["words", ["word", "frame"], 3])
def test_an_unknown_unit_is_an_error_that_names_those_there_are(pipe, wanted):
    with pytest.raises(ValueError, match="return_timestamps.*'sentence', 'word'"):
        pipe("deaf", return_timestamps=wanted)


def test_the_tokenizer_of_transformers_and_an_encoding_without_offsets_are_errors(make_model, tmp_path):
    VitsTokenizer.from_vocab({"_": 0, "a": 1}, pad_token="_", phonemize=False).save_pretrained(tmp_path)
    pipe = TextToSpeechPipeline(make_model(), transformers.VitsTokenizer.from_pretrained(tmp_path))
    with pytest.raises(ValueError, match=r"transformers.*VitsTokenizer\.from_pretrained"):
        pipe("a", return_timestamps="word")
    with pytest.raises(ValueError, match="return_offsets_mapping=True"):
        output_timestamps(pipe.tokenizer, "a", {"input_ids": [[1]]}, [[1]], pipe.model.config)


PHONEMES = {
    symbol: i for i, symbol in enumerate("_^$ abdefhijklmnoprstuvwzæðŋɐɑɒɔəɚɛɜɡɪɹɾʃʊʌʒθᵻˈˌːɬχxcqyøœ12345̪̃.,;:!?—…")
}
SENTENCES = {
    "en-us": [
        "Dr. Smith paid $3.50 in 1984, of the  end-to-end one; isn't it?",
        "It's 7:45 p.m. on 3/14/2024 — we’ll've gone… 😀 (don't ask), CO₂ & 50% of ½.",
        "I am in the U.S.A. with Mr. O'Neil's 21st “friend”.",
        "Read https://example.com or mail a.b@c.org, No. 5, at 10am!",
    ],
    "de": ["Am 3. Mai 1984 zahlte Hr. Müller 3,50 € für's Buch, z. B. zwei - oder drei?"],
    "fr": ["Qu'est-ce que c'est ? C'est l'ami d'Anne, aujourd'hui « 42 ans » !"],
    "ru": ["Это стоит 25 рублей, т. е. немного… правда?"],
    "cmn": ["你好，世界！我们去 Beijing 2次。"],
    "ja": ["「こんにちは」、せかいです。"],
}


@pytest.mark.parametrize("style", ["piper", "vits"])
@pytest.mark.parametrize("language", SENTENCES)
def test_every_word_of_a_text_of_phonemes_is_there_once_and_in_order(make_model, language, style):
    pytest.importorskip("phonemizer")
    options = {"phoneme_language": language, "phoneme_style": style, "pad_token": "_", "blank_token": "_"}
    pipe = TextToSpeechPipeline(make_model(vocab_size=len(PHONEMES)), VitsTokenizer.from_vocab(PHONEMES, **options))
    for text in SENTENCES[language]:
        speech = pipe(text, return_timestamps=True)
        found = {unit: in_samples(times) for unit, times in speech["timestamps"].items()}
        words = [word for word, _, _ in found["word"]]
        if language in ("cmn", "ja"):
            assert "".join(words) == "".join(text.split()) and len(words) > 9
        else:
            assert words == [word for word in text.split() if any(map(is_read, word))]
        assert "".join(character for character, _, _ in found["character"]) == "".join(text.split())
        for unit in ("word", "character", "phoneme"):
            bounds = [0, *(bound for _, start, end in found[unit] for bound in (start, end)), len(speech["audio"])]
            assert bounds == sorted(bounds)
        timed = [word for word in found["word"] if word[0] != "😀" or style == "piper"]  # which "vits" does not read
        assert all(start < end for _, start, end in timed + found["phoneme"])
        frame = pipe.model.hop_length
        assert all(start % frame == end % frame == 0 for _, start, end in found["phoneme"])
