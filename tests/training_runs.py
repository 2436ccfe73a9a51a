"""Recordings made in code, small voices without dropout, and runs of a few steps."""

import io

import numpy as np
import pytest
import soundfile
import torch
from tiny_voices import SMALLEST

from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.training import ModelInitialization, VitsTrainer, VitsTrainingArguments

RATE = 2000
SMALL_DISCRIMINATOR = {"periods": [2, 3], "period_channels": [4, 8], "scale_channels": [4, 4, 8, 8, 8, 8]}
NO_DROPOUT = {
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "duration_predictor_dropout": 0.0,
}
FEW_LAYERS = {**SMALLEST, "prior_encoder_num_flows": 2}
"""A step costs in proportion to the layers. Of two flows, one can be frozen."""


def recording(seconds, seed=0):
    """A tone that moves, as the bytes of a WAV file."""
    time = np.arange(int(seconds * RATE)) / RATE
    samples = 0.3 * np.sin(2 * np.pi * (150 + 20 * seed) * time * (1 + 0.2 * np.sin(5 * time)))
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    return {"bytes": file.getvalue(), "path": f"{seed}.wav"}


@pytest.fixture
def make_data():
    """A data set of so many clips of 0.3 to 0.6 seconds, or all of the same length."""
    datasets = pytest.importorskip("datasets")

    def make(clips=8, seconds=None, **columns):
        texts = ["a hope", "cabbage", "feed me", "no."]
        audio = [recording(seconds or 0.3 + 0.3 * (i * 7 % clips) / clips, i) for i in range(clips)]
        columns = {"text": [texts[i % 4] for i in range(clips)], "audio": audio, **columns}
        return datasets.Dataset.from_dict(columns).cast_column("audio", datasets.Audio(decode=False))

    return make


@pytest.fixture
def make_start(make_config, make_model):
    """A tiny voice and its discriminator, the same every time: new, or with random values in all its parameters.

    A new voice has gradients that are mere rounding, and ties in its alignments; it is no measure of equality.
    """

    def make(lively=False, **fields):
        fields = {"sampling_rate": RATE, **FEW_LAYERS, **NO_DROPOUT, **fields}
        start = ModelInitialization.from_scratch(
            make_config(**fields), VitsDiscriminatorConfig(**SMALL_DISCRIMINATOR), seed=1
        )
        return ModelInitialization(make_model(**fields), start.discriminator) if lively else start

    return make


@pytest.fixture
def make_settings(tmp_path):
    def make(output_dir_name="out", **settings):
        quiet = {"report_to": [], "dataloader_num_workers": 0, "cpu_threads": 1, "save_steps": 1000}
        quiet |= {"segment_frames": 16, "min_duration_seconds": 0.1}
        return VitsTrainingArguments(
            **{"output_dir": str(tmp_path / output_dir_name), "per_device_train_batch_size": 4, **quiet, **settings}
        )

    return make


@pytest.fixture
def make_trainer(make_start, make_settings, make_data, make_tokenizer):
    def make(start=None, data=None, eval_dataset=None, columns=None, **settings):
        data = make_data() if data is None else data
        start = make_start() if start is None else start
        return VitsTrainer(start, make_settings(**settings), data, eval_dataset, make_tokenizer(), columns)

    return make


@pytest.fixture
def parameters_of():
    """All parameters of generator and discriminator by name, copied."""

    def read(trainer):
        modules = {"generator": trainer.generator.module, "discriminator": trainer.discriminator.module}
        return {
            f"{part}.{name}": parameter.detach().clone()
            for part, module in modules.items()
            for name, parameter in module.named_parameters()
        }

    return read


@pytest.fixture
def assert_equal():
    def compare(left, right, atol=0.0):
        assert left.keys() == right.keys()
        for name in left:
            torch.testing.assert_close(left[name], right[name], rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}")

    return compare


BASE_TEXTS = ["a hope", "cabbage", "feed me", "no.", "hop on a bike", "mind ben"]
"""Texts that the tokenizer of tiny voices can say."""


@pytest.fixture
def make_base(make_model, make_tokenizer, tmp_path):
    """The folder of a tiny voice that lacks what only training uses."""

    def make(name="base", **fields):
        fields = {**SMALLEST, "inference_only": True, "sampling_rate": RATE, **fields}
        make_model(**fields).save_pretrained(tmp_path / name)
        make_tokenizer(language="eng").save_pretrained(tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture
def small_completion(monkeypatch, tmp_path):
    """Few and short crops and utterances; a cache of the test's own; and settings for a few steps."""
    from hf_vits.training import CompletionSettings, completion, own_speech

    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(completion, "CROP_FRAMES", 16)
    monkeypatch.setattr(completion, "CHECKED_UTTERANCES", 2)
    monkeypatch.setattr(completion, "LOG_STEPS", 2)
    monkeypatch.setattr(own_speech, "POOL_SIZE", 6)
    monkeypatch.setattr(own_speech, "FIRST_UTTERANCES", 2)
    return lambda **fields: CompletionSettings(**{"max_steps": 3, "batch_size": 2, "cpu_threads": 1, **fields})
