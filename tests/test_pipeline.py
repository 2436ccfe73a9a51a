import numpy as np
import pytest
import torch
import transformers

from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer
from hf_vits.conversion import resolve
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


def waveform_of(pipe, text, **controls):
    """The oracle: the model called by hand."""
    out = pipe.model(**pipe.tokenizer(text, return_tensors="pt"), **controls)
    return out.waveform[0].numpy()


def test_the_audio_of_a_text_is_the_models_waveform(pipe):
    speech = pipe("a hope", speaker_id="bea", noise_scale=0.3, speaking_rate=1.2, generator=seeded())
    expected = waveform_of(pipe, "a hope", speaker_id=1, noise_scale=0.3, speaking_rate=1.2, generator=seeded())
    assert speech["sampling_rate"] == 16000
    assert speech["audio"].dtype == np.float32 and speech["audio"].ndim == 1
    np.testing.assert_array_equal(speech["audio"], expected)


def test_a_call_without_options_does_what_the_model_does_and_no_more(pipe, monkeypatch):
    """Each sentence is tokenized once, without offsets, and its samples are those that the model has returned."""
    calls, tokenizer, model = [], pipe.tokenizer, pipe.model.forward
    unused = ["scripted_sentences", "SentenceEffects", "sentence_tokens", "short_texts.in_context", "Lexicon.of"]
    for name in unused:
        monkeypatch.setattr(f"hf_vits.pipeline.{name}", lambda *_, name=name, **__: calls.append(name))
    monkeypatch.setattr(pipe, "tokenizer", Recorded(tokenizer, calls))
    monkeypatch.setattr(pipe.model, "forward", lambda **given: calls.append(sorted(given)) or model(**given))
    speech = pipe("A hope. Big dog.", speaker_id=0, generator=seeded())
    ids = {"return_tensors": "pt"}
    given = ["attention_mask", "generator", "input_ids", "speaker_id"]
    assert calls == [("A hope.", ids), ("Big dog.", ids), given, given]
    noise = seeded()
    expected = [waveform_of(pipe, text, speaker_id=0, generator=noise) for text in ("A hope.", "Big dog.")]
    np.testing.assert_array_equal(speech["audio"], np.concatenate(expected))


class Recorded:
    """A tokenizer whose calls are recorded."""

    def __init__(self, tokenizer, calls):
        self.tokenizer, self.calls = tokenizer, calls

    def __call__(self, text, **options):
        self.calls.append((text, options))
        return self.tokenizer(text, **options)

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)


def test_the_pipeline_of_transformers_takes_model_and_tokenizer(make_model, tokenizer):
    model = make_model()
    upstream = transformers.pipeline("text-to-speech", model=model, tokenizer=tokenizer, device="cpu")
    torch.manual_seed(3)
    speech = upstream("a hope", forward_params={"speaking_rate": 1.5})
    torch.manual_seed(3)
    expected = model(**tokenizer("a hope", return_tensors="pt"), speaking_rate=1.5).waveform[0].numpy()
    np.testing.assert_array_equal(speech["audio"].squeeze(), expected)
    assert speech["sampling_rate"] == 16000


def test_transformers_pipeline_builds_it(make_model, tokenizer, tmp_path):
    model = make_model(resblock_type="2")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    built = transformers.pipeline("text-to-speech", str(tmp_path), pipeline_class=TextToSpeechPipeline, device="cpu")
    np.testing.assert_array_equal(
        built("deaf", generator=seeded())["audio"],
        TextToSpeechPipeline(model, tokenizer)("deaf", generator=seeded())["audio"],
    )


def test_forward_params_are_arguments(pipe):
    plain = pipe("deaf", speaker_id=2, generator=seeded())["audio"]
    upstream = pipe("deaf", forward_params={"speaker_id": 2, "generator": seeded()})["audio"]
    np.testing.assert_array_equal(plain, upstream)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_items_of_a_list_are_trimmed_and_equal_single_calls(pipe, batch_size):
    no_noise = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    speakers = ["ada", "cem", "bea"]
    together = pipe(TEXTS, speaker_id=speakers, speaking_rate=[1.0, 0.5, 2.0], batch_size=batch_size, **no_noise)
    assert len({len(item["audio"]) for item in together}) == 3
    for item, text, speaker, rate in zip(together, TEXTS, speakers, [1.0, 0.5, 2.0], strict=True):
        expected = waveform_of(pipe, text, speaker_id=speaker, speaking_rate=rate, **no_noise)
        np.testing.assert_allclose(item["audio"], expected, rtol=0, atol=1e-5)


def test_items_of_a_batch_have_own_and_shared_arguments(pipe):
    items = [{"text": "deaf", "speaker_id": 2}, {"text": "a hope"}]
    no_noise = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    together = pipe(items, speaker_id=1, batch_size=2, **no_noise)
    for item, text, speaker in zip(together, ["deaf", "a hope"], [2, 1], strict=True):
        np.testing.assert_allclose(
            item["audio"], waveform_of(pipe, text, speaker_id=speaker, **no_noise), rtol=0, atol=1e-5
        )


def test_a_generator_of_texts_is_read_as_results_are_asked_for(pipe):
    read = []

    def texts():
        for text in TEXTS:
            read.append(text)
            yield text

    stream = iter(pipe(texts(), speaker_id=0))
    next(stream)
    assert len(read) < 3
    assert len(list(stream)) == 2


def test_a_long_text_is_its_sentences_with_pauses_between(pipe):
    no_noise = {"speaker_id": 0, "noise_scale": 0.0, "noise_scale_duration": 0.0}
    speech = pipe("A hope. Big dog.", pause=0.25, **no_noise)["audio"]
    first, second = waveform_of(pipe, "A hope.", **no_noise), waveform_of(pipe, "Big dog.", **no_noise)
    np.testing.assert_allclose(speech, np.concatenate([first, np.zeros(4000), second]), rtol=0, atol=1e-6)


def test_a_line_without_tokens_is_skipped(pipe):
    no_noise = {"speaker_id": 0, "noise_scale": 0.0, "noise_scale_duration": 0.0}
    with_stars = pipe("A hope.\n\n***\n\nBig dog.", **no_noise)["audio"]
    np.testing.assert_array_equal(with_stars, pipe("A hope.\n\nBig dog.", **no_noise)["audio"])


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"text_inputs": ""}, ValueError, ["it is empty"]),
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
def test_a_wrong_call_is_an_error_that_names_the_argument(pipe, arguments, error, named):
    with pytest.raises(error) as caught:
        pipe(**{"text_inputs": "a hope", "speaker_id": 0, **arguments})
    for part in named:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_each_text_has_a_generator_of_its_own(pipe, batch_size):
    together = pipe(TEXTS, speaker_id=0, generator=[seeded(i) for i in range(3)], batch_size=batch_size)
    for i, item in enumerate(together):
        expected = waveform_of(pipe, TEXTS[i], speaker_id=0, generator=[seeded(i)])
        np.testing.assert_allclose(item["audio"], expected, rtol=0, atol=1e-5)


def test_a_voice_of_one_speaker_takes_items_with_and_without_one(make_model, tokenizer):
    pipe = TextToSpeechPipeline(make_model(), tokenizer)
    assert len(pipe([{"text": "deaf", "speaker_id": 0}, {"text": "deaf"}], batch_size=2)) == 2


def test_a_column_of_a_data_set_is_an_iterable_of_texts(pipe):
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
    return np.concatenate([chunk["audio"] for chunk in pipe.stream(text, **arguments)])


@pytest.mark.parametrize("chunk_frames", [None, 3])
def test_streamed_chunks_equal_the_audio_of_a_call_with_every_argument(pipe, chunk_frames):
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


def test_an_item_with_arguments_of_its_own_is_streamed_with_them(pipe):
    item = {"text": "a hope", "speaker_id": 2, "noise_scale": 0.0, "noise_scale_duration": 0.0}
    np.testing.assert_allclose(streamed(pipe, item), pipe(item)["audio"], rtol=0, atol=1e-6)


def test_arguments_of_the_constructor_apply_to_streams(make_model, tokenizer, speakers):
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
    ("arguments", "error", "read"),
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
def test_a_wrong_argument_of_a_stream_is_an_error_before_the_first_chunk(pipe, arguments, error, read):
    with pytest.raises(error, match=read):
        pipe.stream(**{"text": "a hope", **arguments})


@pytest.mark.parametrize("text", ["***", ""])
def test_streaming_a_text_without_tokens_is_an_error(pipe, text):
    with pytest.raises(ValueError, match="say|empty|text"):
        list(pipe.stream(text, speaker_id=0))


@pytest.fixture
def english(make_model, make_tokenizer):
    """A voice that reads phonemes of English, of which it knows a few."""
    pytest.importorskip("espeakng_loader")
    return TextToSpeechPipeline(make_model(), make_tokenizer(phonemize=True, phoneme_language="en-us"))


def test_a_text_in_another_script_causes_one_warning_that_names_its_letters(english, caplog):
    assert len(english("你好。 And so on. 世界。")["audio"])
    warnings = [record.message for record in caplog.records if "Han" in record.message]
    assert len(warnings) == 1
    assert "en-us" in warnings[0] and all(f"{letter!r} x1" in warnings[0] for letter in "你好世界")


@pytest.mark.parametrize("text", ["And. 你好世界", "He said привет. And so on."])
def test_strict_refuses_a_text_in_another_script_before_synthesis(english, text):
    for speak in (lambda: english(text, strict=True), lambda: list(english.stream(text, strict=True))):
        with pytest.raises(UnsupportedTextError, match="espeak-ng reads in the script Latin"):
            speak()


def test_ordinary_loan_letters_are_no_letters_of_another_script(english, caplog):
    english("A café, 5 µm, α and Ω.")
    assert "script" not in caplog.text


def test_strict_refuses_dropped_letters_and_digits_but_not_punctuation(make_model, tokenizer):
    strict = TextToSpeechPipeline(make_model(), tokenizer, strict=True)
    assert len(strict("a hope (big!)")["audio"])
    for text, lost in (("a hope 42", "'4' x1"), ("a hope, да", "'д'"), ("a zoo", "'z' x1")):
        with pytest.raises(UnsupportedTextError, match=lost):
            strict(text)
        assert len(strict(text, strict=False)["audio"])


def test_a_tokenizer_alone_warns_of_letters_of_other_scripts_once_a_batch(english, caplog):
    english.tokenizer(["你好", "and", "世"])
    assert len([record for record in caplog.records if "Han" in record.message]) == 1


def test_a_text_is_divided_by_the_conventions_of_its_language(make_model, make_tokenizer):
    model, text = make_model(), "He came 3. Main bed."
    pipes = {name: TextToSpeechPipeline(model, make_tokenizer(language=name)) for name in ("eng", "deu")}
    assert pipes["eng"].sentences(text) == ["He came 3.", "Main bed."]
    assert pipes["deu"].sentences(text) == [text]
    encodings = {name: list(pipe.preprocess(text)) for name, pipe in pipes.items()}
    assert [len(encodings[name]) for name in ("eng", "deu")] == [2, 1]


def test_damaged_weights_are_an_error_and_no_audio(pipe):
    pipe.model.decoder.conv_pre.weight[0] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinity.*another checkpoint"):
        pipe("a hope", speaker_id=0)
    chunks = []
    with pytest.raises(ValueError, match="NaN or infinity"):
        chunks.extend(pipe.stream("a hope", speaker_id=0))
    assert chunks == []


@pytest.fixture
def folder(saved_voice, tmp_path):
    """A folder that transformers loads too."""
    saved_voice(tmp_path / "voice")
    return tmp_path / "voice"


def audio_of(pipe):
    return pipe("a hope", speaking_rate=0.8, generator=torch.Generator().manual_seed(3))["audio"]


WAYS = {
    "folder": lambda folder: TextToSpeechPipeline(folder),
    "folder by name": lambda folder: TextToSpeechPipeline(model=str(folder)),
    "model": lambda folder: TextToSpeechPipeline(VitsModel.from_pretrained(folder)),
    "model and name of the tokenizer": lambda folder: TextToSpeechPipeline(
        VitsModel.from_pretrained(folder), tokenizer=str(folder)
    ),
    "transformers.pipeline with a folder": lambda folder: transformers.pipeline(
        "text-to-speech", model=str(folder), pipeline_class=TextToSpeechPipeline, device="cpu"
    ),
    "transformers.pipeline with a model": lambda folder: transformers.pipeline(
        "text-to-speech",
        model=VitsModel.from_pretrained(folder),
        pipeline_class=TextToSpeechPipeline,
        device="cpu",
    ),
}


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_pipeline_is_built_from_a_model_a_folder_or_a_name(folder, way):
    pipe = way(folder)
    assert isinstance(pipe.model, VitsModel) and isinstance(pipe.tokenizer, VitsTokenizer)
    expected = TextToSpeechPipeline(VitsModel.from_pretrained(folder), VitsTokenizer.from_pretrained(folder))
    np.testing.assert_array_equal(audio_of(pipe), audio_of(expected))


def test_the_pipeline_of_transformers_loads_an_extended_model_folder(make_model, make_tokenizer, tmp_path):
    make_model(resblock_type="2").save_pretrained(tmp_path)
    make_tokenizer(blank_token=" ").save_pretrained(tmp_path)  # which the tokenizer of transformers has not
    upstream = transformers.pipeline("text-to-speech", model=str(tmp_path), device="cpu")
    pipe = TextToSpeechPipeline(tmp_path)
    torch.manual_seed(3)
    audio = upstream("a hope")["audio"]
    torch.manual_seed(3)
    expected = pipe.model(**pipe.tokenizer("a hope", return_tensors="pt")).waveform[0]
    np.testing.assert_allclose(audio.squeeze(), expected.detach().numpy(), rtol=0, atol=1e-5)


def test_a_model_of_transformers_is_copied(make_model, make_upstream_model, make_tokenizer):
    model = make_model()
    pipe = TextToSpeechPipeline(make_upstream_model(model), make_tokenizer())
    assert isinstance(pipe.model, VitsModel)
    np.testing.assert_array_equal(audio_of(pipe), audio_of(TextToSpeechPipeline(model, make_tokenizer())))


def test_the_default_voice_is_loaded_by_name(folder, monkeypatch):
    monkeypatch.setattr(resolve, "cached_voice", lambda known: folder)
    assert TextToSpeechPipeline("default").model.name_or_path == str(folder)


def test_a_wrong_model_or_tokenizer_is_an_error_that_says_what_to_pass(make_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="did you mean `default`"):
        TextToSpeechPipeline("defualt")
    with pytest.raises(TypeError, match="`model` is Linear; give a `VitsModel`, or the folder"):
        TextToSpeechPipeline(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="was not loaded from a folder.*pass `tokenizer="):
        TextToSpeechPipeline(make_model())
    make_model().save_pretrained(tmp_path / "alone")
    with pytest.raises(ValueError, match="There is no tokenizer in .*alone.*pass `tokenizer="):
        TextToSpeechPipeline(VitsModel.from_pretrained(tmp_path / "alone"))


def test_a_model_that_is_given_is_not_converted_to_another_dtype(make_model, tokenizer):
    exact, half = make_model(), make_model()
    half.decoder.bfloat16()
    for model, dtypes in ((exact, (None, "auto", "float32", torch.float32)), (half, ("bfloat16", torch.bfloat16))):
        for dtype in dtypes:
            assert TextToSpeechPipeline(model, tokenizer, dtype=dtype).model is model
    with pytest.raises(ValueError, match="`dtype` is bfloat16, and the decoder .* is float32"):
        TextToSpeechPipeline(exact, tokenizer, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match="`dtype` is float32, and the decoder .* is bfloat16"):
        TextToSpeechPipeline(half, tokenizer, dtype="float32")


def test_written_forms_and_words_of_a_lexicon_are_spoken_as_read_and_timed_as_written(make_model):
    pytest.importorskip("unicode_rbnf")
    letters = {letter: i for i, letter in enumerate("_abcdefghijklmnopqrstuvwxyz ,.'-")}
    tokenizer = VitsTokenizer.from_vocab(letters, pad_token="_", phonemize=False, language="eng")
    pipe = TextToSpeechPipeline(make_model(vocab_size=40), tokenizer, expand=True)
    options = {"generator": seeded(), "lexicon": {"Nguyen": "when"}, "return_timestamps": "word"}
    speech = pipe("Dr. Nguyen paid $5.", **options)
    expected = pipe("doctor when paid five dollars.", generator=seeded())["audio"]
    np.testing.assert_array_equal(speech["audio"], expected)
    assert [word["text"] for word in speech["timestamps"]] == ["Dr.", "Nguyen", "paid", "$5."]
    assert speech["timestamps"][-1]["start"] < speech["timestamps"][-1]["end"]
    chunks = list(pipe.stream("Dr. Nguyen paid $5.", **{**options, "generator": seeded()}))
    np.testing.assert_allclose(np.concatenate([chunk["audio"] for chunk in chunks]), expected, rtol=0, atol=1e-5)
    assert sum((chunk["timestamps"] for chunk in chunks), []) == speech["timestamps"]
    assert (
        pipe("it is 5.", expand=False, generator=seeded())["audio"].size
        < pipe("it is 5.", generator=seeded())["audio"].size
    )
    pipe("5", strict=True)
    with pytest.raises(UnsupportedTextError, match="5"):
        pipe("a 5", strict=True, expand=False)
