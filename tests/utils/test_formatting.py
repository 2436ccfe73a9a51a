"""An argument that does not exist is an error that lists those there are, wherever it is given."""

import inspect

import pytest
import torch

from hf_vits import TextToSpeechPipeline, VitsModel


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


@pytest.fixture
def pipe(model, make_tokenizer):
    return TextToSpeechPipeline(model, make_tokenizer())


IDS = {"input_ids": torch.tensor([[1, 2, 3]])}
LATENTS = torch.zeros(1, 8, 3)
CALLS = {
    "call of the model": (lambda model, pipe: model(**IDS, speeking_rate=1), "speaking_rate"),
    "prior": (lambda model, pipe: model.prior(**IDS, noise_scal=1), "noise_scale"),
    "latents": (lambda model, pipe: model.latents(**IDS, speeking_rate=1), "speaking_rate"),
    "decode": (lambda model, pipe: model.decode(LATENTS, frame_length=[3]), "frame_lengths"),
    "stream": (lambda model, pipe: model.stream(LATENTS, chunk_frame=3), "chunk_frames"),
    "pipeline": (lambda model, pipe: pipe("a hope", speed=2), "speaking_rate"),
    "pipeline's stream": (lambda model, pipe: pipe.stream("a hope", chunk_frame=2), "chunk_frames"),
    "pipeline's construction": (
        lambda model, pipe: TextToSpeechPipeline(model, pipe.tokenizer, noise_scales=2),
        "noise_scale",
    ),
    "pipeline's words to the model": (
        lambda model, pipe: pipe("a hope", forward_params={"duration": 2}),
        "durations",
    ),
    "pipeline's words to the tokenizer": (
        lambda model, pipe: pipe("a hope", preprocess_params={"normalise": True}),
        "normalize",
    ),
    "tokenizer": (lambda model, pipe: pipe.tokenizer("a hope", paddin=True), "padding"),
    "tokenizer's own dictionary": (
        lambda model, pipe: pipe.tokenizer("a hope", tokenizer_kwargs={"trunctation": True}),
        "truncation",
    ),
    "tokenizer's symbols": (lambda model, pipe: pipe.tokenizer.tokenize("a hope", normalise=True), "normalize"),
    "tokenizer's way back": (
        lambda model, pipe: pipe.tokenizer.decode([1, 2], skip_special_token=True),
        "skip_special_tokens",
    ),
    "tokenizer's ids": (
        lambda model, pipe: pipe.tokenizer.encode("a hope", add_special_token=True),
        "add_special_tokens",
    ),
}


@pytest.mark.parametrize(("call", "meant"), CALLS.values(), ids=CALLS.keys())
def test_an_argument_that_does_not_exist_is_an_error_that_says_what_does(model, pipe, call, meant):
    with pytest.raises(TypeError, match=rf"has no argument '\w+'; did you mean .*`{meant}`.*\? It takes .*{meant}"):
        call(model, pipe)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("speed", "`speaking_rate`"),
        ("length_scale", "`speaking_rate (1 / length_scale)`"),
        ("speaker", "`speaker_id`"),
        ("noise_w", "`noise_scale_duration`"),
        ("seed", "`generator (torch.Generator().manual_seed(seed))`"),
    ],
)
def test_names_of_other_programs_are_translated(model, name, meant):
    with pytest.raises(TypeError) as caught:
        model(**IDS, **{name: 1})
    assert f"did you mean {meant}?" in str(caught.value)


def test_a_name_that_is_like_none_is_answered_with_all_there_are(model):
    names = list(inspect.signature(VitsModel.forward).parameters)[1:]
    with pytest.raises(TypeError, match=f"has no argument 'xyz'. It takes {', '.join(names)}.$"):
        model(**IDS, xyz=1)


def test_a_key_of_an_item_that_does_not_exist_is_an_error_that_says_what_does(pipe):
    with pytest.raises(ValueError, match=r"did you mean `speaking_rate`\? It takes 'text' and any of speaker_id"):
        pipe({"text": "a hope", "speed": 2})


def test_arguments_that_transformers_takes_for_itself_go_on_to_work(model, pipe):
    assert len(pipe(["a hope", "a fog"], batch_size=2, num_workers=0)) == 2
    with pytest.raises(TypeError, match="stream has no argument 'batch_size'"):
        pipe.stream("a hope", batch_size=2)
    encoding = pipe.tokenizer(
        ["a", "a hope"], padding=True, truncation=True, max_length=5, normalize=False, verbose=False
    )
    assert len(encoding["input_ids"][0]) == len(encoding["input_ids"][1]) == 5


def test_a_tokenizer_in_the_manner_of_transformers_takes_what_that_one_takes(make_tokenizer):
    stock = make_tokenizer(upstream_compatible=True)
    assert stock("a hope", normalize=True)["input_ids"]
