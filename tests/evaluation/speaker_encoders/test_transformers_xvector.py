"""An encoder of transformers, with a tiny random model: as the model itself, called by hand."""

import numpy as np
import pytest
import torch
import transformers
from tiny_speech_models import SIZES, SPEECH

from hf_vits.evaluation import EvaluationOptions, SpeechEvaluator, Utterance
from hf_vits.evaluation.speaker_encoders.transformers_xvector import TransformersXVector


def test_similarity_by_transformers_is_the_cosine_of_the_models_embeddings(tmp_path):
    torch.manual_seed(0)
    sizes = {**SIZES, "xvector_output_dim": 6, "tdnn_dim": [8, 8], "tdnn_kernel": [3, 1], "tdnn_dilation": [1, 1]}
    model = transformers.Wav2Vec2ForXVector(transformers.Wav2Vec2Config(**sizes)).eval()
    model.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    evaluator = SpeechEvaluator(["similarity"], EvaluationOptions(speaker_encoder=f"transformers:{tmp_path}"))
    other = np.random.default_rng(0).normal(0, 0.1, 20000).astype(np.float32)
    evaluator.prepare([Utterance("", SPEECH, 16000)])
    found = evaluator.measure([Utterance("", other, 16000)]).estimates["similarity"].value
    extractor = transformers.Wav2Vec2FeatureExtractor()
    with torch.no_grad():
        left, right = (
            model(**extractor(one, sampling_rate=16000, return_tensors="pt")).embeddings for one in (SPEECH, other)
        )
    assert found == pytest.approx(float(torch.cosine_similarity(left, right)), abs=1e-5)


def test_speech_too_short_for_the_layers_is_padded(tmp_path):
    model = transformers.Wav2Vec2ForXVector(transformers.Wav2Vec2Config(**SIZES))
    model.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    encode = TransformersXVector(str(tmp_path), "cpu")
    short, padded = SPEECH[:100], np.pad(SPEECH[:100], (0, 15900))
    assert np.array_equal(encode(short, 16000), encode(padded, 16000))
