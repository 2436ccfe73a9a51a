import numpy as np
import pytest
import torch
import transformers

from hf_vits import TextToSpeechPipeline
from hf_vits.text.errors import UnsupportedTextError

pytestmark = pytest.mark.usefixtures("without_gradients")

TEXTS = ["a hope", "big bad fog, a dog.", "deaf"]


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def tokenizer(make_tokenizer):
    return make_tokenizer()


@pytest.fixture
def pipe(make_model, tokenizer, speakers):
    return TextToSpeechPipeline(make_model(**speakers), tokenizer)


def spoken(pipe, text, **controls):
    """The oracle: the model called by hand."""
    out = pipe.model(**pipe.tokenizer(text, return_tensors="pt"), **controls)
    return out.waveform[0].numpy()


def test_a_text_is_what_the_model_says_of_it(pipe):
    speech = pipe("a hope", speaker_id="bea", noise_scale=0.3, speaking_rate=1.2, generator=seeded())
    expected = spoken(pipe, "a hope", speaker_id=1, noise_scale=0.3, speaking_rate=1.2, generator=seeded())
    assert speech["sampling_rate"] == 16000
    assert speech["audio"].dtype == np.float32 and speech["audio"].ndim == 1
    np.testing.assert_array_equal(speech["audio"], expected)


def test_the_stock_pipeline_takes_model_and_tokenizer_as_they_are(make_model, tokenizer):
    model = make_model()
    stock = transformers.pipeline("text-to-speech", model=model, tokenizer=tokenizer, device="cpu")
    torch.manual_seed(3)
    speech = stock("a hope", forward_params={"speaking_rate": 1.5})
    torch.manual_seed(3)
    expected = model(**tokenizer("a hope", return_tensors="pt"), speaking_rate=1.5).waveform[0].numpy()
    np.testing.assert_array_equal(speech["audio"].squeeze(), expected)
    assert speech["sampling_rate"] == 16000


def test_it_is_also_built_by_the_stock_factory(make_model, tokenizer, tmp_path):
    model = make_model(resblock_type="2")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    built = transformers.pipeline("text-to-speech", str(tmp_path), pipeline_class=TextToSpeechPipeline, device="cpu")
    np.testing.assert_array_equal(
        built("deaf", generator=seeded())["audio"],
        TextToSpeechPipeline(model, tokenizer)("deaf", generator=seeded())["audio"],
    )


def test_the_stock_calling_convention_means_the_same(pipe):
    plain = pipe("deaf", speaker_id=2, generator=seeded())["audio"]
    stock = pipe("deaf", forward_params={"speaker_id": 2, "generator": seeded()})["audio"]
    np.testing.assert_array_equal(plain, stock)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_items_of_a_list_are_trimmed_and_equal_single_calls(pipe, batch_size):
    still = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    speakers = ["ada", "cem", "bea"]
    together = pipe(TEXTS, speaker_id=speakers, speaking_rate=[1.0, 0.5, 2.0], batch_size=batch_size, **still)
    assert len({len(item["audio"]) for item in together}) == 3
    for item, text, speaker, rate in zip(together, TEXTS, speakers, [1.0, 0.5, 2.0], strict=True):
        expected = spoken(pipe, text, speaker_id=speaker, speaking_rate=rate, **still)
        np.testing.assert_allclose(item["audio"], expected, rtol=0, atol=1e-5)


def test_one_control_may_vary_while_another_is_shared_in_a_batch(pipe):
    items = [{"text": "deaf", "speaker_id": 2}, {"text": "a hope"}]
    still = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    together = pipe(items, speaker_id=1, batch_size=2, **still)
    for item, text, speaker in zip(together, ["deaf", "a hope"], [2, 1], strict=True):
        np.testing.assert_allclose(item["audio"], spoken(pipe, text, speaker_id=speaker, **still), rtol=0, atol=1e-5)


def test_a_generator_of_texts_is_spoken_as_it_comes(pipe):
    told = []

    def texts():
        for text in TEXTS:
            told.append(text)
            yield text

    stream = iter(pipe(texts(), speaker_id=0))
    next(stream)
    assert len(told) < 3
    assert len(list(stream)) == 2


def test_long_text_is_its_sentences_one_after_another_with_the_pause_between(pipe):
    still = {"speaker_id": 0, "noise_scale": 0.0, "noise_scale_duration": 0.0}
    speech = pipe("A hope. Big dog.", pause=0.25, **still)["audio"]
    first, second = spoken(pipe, "A hope.", **still), spoken(pipe, "Big dog.", **still)
    np.testing.assert_allclose(speech, np.concatenate([first, np.zeros(4000), second]), rtol=0, atol=1e-6)


def test_a_line_with_nothing_to_say_is_passed_over(pipe):
    still = {"speaker_id": 0, "noise_scale": 0.0, "noise_scale_duration": 0.0}
    with_stars = pipe("A hope.\n\n***\n\nBig dog.", **still)["audio"]
    np.testing.assert_array_equal(with_stars, pipe("A hope.\n\nBig dog.", **still)["audio"])


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"text_inputs": ""}, ValueError, ["vocabulary"]),
        ({"text_inputs": "***"}, ValueError, ["*"]),
        ({"text_inputs": 7}, TypeError, ["int"]),
        ({"speed": 2.0}, TypeError, ["speed"]),
        ({"speaker_id": None}, ValueError, ["3 speakers"]),
        ({"speaker_id": "dan"}, ValueError, ["dan", "ada"]),
        ({"speaker_id": [0, 1]}, ValueError, ["speaker_id", "list of texts"]),
        ({"text_inputs": ["a", "b"], "speaker_id": [0]}, ValueError, ["1 values", "2 texts"]),
        ({"text_inputs": {"text": "a", "voice": 1}}, ValueError, ["voice"]),
        ({"noise_scale": float("nan")}, ValueError, ["noise_scale", "nan"]),
        ({"pause": -1.0}, ValueError, ["pause", "-1"]),
        ({"pause": 1e13}, ValueError, ["pause", "60"]),
        ({"pause": "long"}, ValueError, ["pause", "long"]),
        ({"text_inputs": "a " * 600_000}, ValueError, ["1,200,000", "1,000,000"]),
    ],
)
def test_what_cannot_be_done_is_an_error_that_names_it(pipe, arguments, error, named):
    with pytest.raises(error) as caught:
        pipe(**{"text_inputs": "a hope", "speaker_id": 0, **arguments})
    for part in named:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_each_text_may_have_a_generator_of_its_own(pipe, batch_size):
    together = pipe(TEXTS, speaker_id=0, generator=[seeded(i) for i in range(3)], batch_size=batch_size)
    for i, item in enumerate(together):
        expected = spoken(pipe, TEXTS[i], speaker_id=0, generator=[seeded(i)])
        np.testing.assert_allclose(item["audio"], expected, rtol=0, atol=1e-5)


def test_a_voice_of_one_speaker_takes_items_with_and_without_one(make_model, tokenizer):
    pipe = TextToSpeechPipeline(make_model(), tokenizer)
    assert len(pipe([{"text": "deaf", "speaker_id": 0}, {"text": "deaf"}], batch_size=2)) == 2


def test_a_column_of_a_data_set_is_spoken_as_it_comes(pipe):
    datasets = pytest.importorskip("datasets")
    column = datasets.Dataset.from_dict({"text": TEXTS})["text"]
    assert len(list(pipe(column, speaker_id=0))) == 3
    assert pipe(("a", "deaf"), speaker_id=[0, 1]) and pipe([]) == []


def test_lists_of_values_belong_in_a_call_and_a_tokenizer_in_the_constructor(make_model, tokenizer):
    with pytest.raises(ValueError, match=r"speaking_rate.*call"):
        TextToSpeechPipeline(make_model(), tokenizer, speaking_rate=[1.0, 2.0])
    with pytest.raises(ValueError, match="tokenizer"):
        TextToSpeechPipeline(make_model())


def streamed(pipe, text, **arguments):
    return np.concatenate([piece["audio"] for piece in pipe.stream(text, **arguments)])


@pytest.mark.parametrize("chunk_frames", [None, 3])
def test_what_is_streamed_is_what_a_call_says_with_every_control(pipe, chunk_frames):
    controls = {
        "speaker_id": "bea",
        "noise_scale": 0.3,
        "speaking_rate": 0.4,
        "noise_scale_duration": 0.5,
        "pause": 0.1,
    }
    text = "A hope. Big dog. Deaf fog."
    expected = pipe(text, generator=seeded(), **controls)["audio"]
    made = streamed(pipe, text, generator=seeded(), chunk_frames=chunk_frames, **controls)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-6)


def test_an_item_with_its_own_controls_is_streamed_with_them(pipe):
    item = {"text": "a hope", "speaker_id": 2, "noise_scale": 0.0, "noise_scale_duration": 0.0}
    np.testing.assert_allclose(streamed(pipe, item), pipe(item)["audio"], rtol=0, atol=1e-6)


def test_arguments_of_the_pipeline_itself_hold_for_streams_too(make_model, tokenizer, speakers):
    pipe = TextToSpeechPipeline(make_model(**speakers), tokenizer, speaker_id="cem", noise_scale=0.1, pause=0.5)
    made = streamed(pipe, "A hope. Deaf fog.", generator=seeded())
    np.testing.assert_allclose(made, pipe("A hope. Deaf fog.", generator=seeded())["audio"], rtol=0, atol=1e-6)


def test_a_stream_synthesizes_a_sentence_when_its_first_chunk_is_asked_for(pipe):
    encoded = []
    pipe.model.text_encoder.register_forward_hook(lambda *given: encoded.append(1))
    chunks = pipe.stream("A hope. Big dog. Deaf fog.", speaker_id=0, chunk_frames=10**6)
    assert not encoded
    next(chunks)
    assert len(encoded) == 1
    assert len(list(chunks)) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"chunk_frames": 0}, ValueError, "chunk_frames"),
        ({"pause": -1.0}, ValueError, "pause"),
        ({"speaker_id": [0, 1]}, ValueError, "list"),
        ({"speed": 2.0}, TypeError, "speed"),
        ({"chunk_frames": 2.5}, ValueError, "2.5"),
        ({"text": ["a hope", "deaf"]}, TypeError, "2 texts"),
        ({"text": {"text": "a", "voice": 1}}, ValueError, "voice"),
        ({"text": "a hope. " * 200_000}, ValueError, "characters"),
    ],
)
def test_a_wrong_argument_of_a_stream_is_told_before_the_first_piece_is_asked_for(pipe, arguments, error, told):
    with pytest.raises(error, match=told):
        pipe.stream(**{"text": "a hope", **arguments})


@pytest.mark.parametrize("text", ["***", ""])
def test_a_text_of_which_nothing_can_be_said_is_an_error_of_its_stream(pipe, text):
    with pytest.raises(ValueError, match="say|empty|text"):
        list(pipe.stream(text, speaker_id=0))


@pytest.fixture
def english(make_model, make_tokenizer):
    """A voice that reads phonemes of English, of which it knows a few."""
    pytest.importorskip("espeakng_loader")
    return TextToSpeechPipeline(make_model(), make_tokenizer(phonemize=True, phoneme_language="en-us"))


def test_a_text_in_another_script_is_spoken_with_one_warning_that_names_its_letters(english, caplog):
    assert len(english("你好。 And so on. 世界。")["audio"])
    warnings = [record.message for record in caplog.records if "Han" in record.message]
    assert len(warnings) == 1
    assert "en-us" in warnings[0] and all(f"{letter!r} x1" in warnings[0] for letter in "你好世界")


@pytest.mark.parametrize("text", ["And. 你好世界", "He said привет. And so on."])
def test_a_text_in_another_script_is_refused_if_asked_before_anything_is_spoken(english, text):
    for speak in (lambda: english(text, strict=True), lambda: list(english.stream(text, strict=True))):
        with pytest.raises(UnsupportedTextError, match="espeak-ng reads in the script Latin"):
            speak()


def test_ordinary_loan_letters_are_no_letters_of_another_script(english, caplog):
    english("A café, 5 µm, α and Ω.")
    assert "script" not in caplog.text


def test_a_strict_voice_of_letters_refuses_what_it_would_leave_out_and_no_marks(make_model, tokenizer):
    strict = TextToSpeechPipeline(make_model(), tokenizer, strict=True)
    assert len(strict("a hope (big!)")["audio"])
    for text, lost in (("a hope 42", "'4' x1"), ("a hope, да", "'д'"), ("a zoo", "'z' x1")):
        with pytest.raises(UnsupportedTextError, match=lost):
            strict(text)
        assert len(strict(text, strict=False)["audio"])


def test_a_tokenizer_alone_warns_of_letters_of_other_scripts_once_a_batch(english, caplog):
    english.tokenizer(["你好", "and", "世"])
    assert len([record for record in caplog.records if "Han" in record.message]) == 1


def test_a_text_is_divided_by_the_conventions_of_the_voices_language(make_model, make_tokenizer):
    model, text = make_model(), "He came 3. Main bed."
    pipes = {name: TextToSpeechPipeline(model, make_tokenizer(language=name)) for name in ("eng", "deu")}
    assert pipes["eng"].sentences(text) == ["He came 3.", "Main bed."]
    assert pipes["deu"].sentences(text) == [text]
    encodings = {name: list(pipe.preprocess(text)) for name, pipe in pipes.items()}
    assert [len(encodings[name]) for name in ("eng", "deu")] == [2, 1]


def test_a_voice_that_would_make_nan_says_so_and_makes_no_sound(pipe):
    pipe.model.decoder.conv_pre.weight[0] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinity.*another checkpoint"):
        pipe("a hope", speaker_id=0)
    pieces = []
    with pytest.raises(ValueError, match="NaN or infinity"):
        pieces.extend(pipe.stream("a hope", speaker_id=0))
    assert pieces == []
