"""Voices of letters whose durations and waveforms can be computed by hand."""

import pytest
import torch

from hf_vits import TextToSpeechPipeline

NO_NOISE = {"noise_scale": 0.0, "noise_scale_duration": 0.0}


@pytest.fixture
def pipe(make_model, make_tokenizer):
    return TextToSpeechPipeline(make_model(), make_tokenizer(), **NO_NOISE)


@pytest.fixture
def frames_of(pipe):
    """Function: the frames of each token of a text at rate 1, before they are rounded up."""

    def exact(text):
        from hf_vits.inference.arguments import CallArguments

        encoding = pipe.tokenizer(text, return_tensors="pt")
        arguments = CallArguments.from_ids(pipe.model, **encoding, **NO_NOISE)
        hidden = pipe.model.text_encoder(arguments.input_ids, arguments.mask).hidden
        return pipe.model.log_durations(hidden, arguments).exp()[0, 0].double()

    with torch.no_grad():
        yield exact
