"""Recognizer and encoder of transformers, with tiny random models: as the models themselves, called by hand."""

import json

import numpy as np
import pytest
import torch
import transformers

from hf_vits.evaluation import EvaluationOptions, SpeechEvaluator, Utterance
from hf_vits.evaluation.model_names import language_without_region
from hf_vits.evaluation.recognizers.transformers_pipeline import TransformersPipeline
from hf_vits.evaluation.speaker_encoders.transformers_xvector import TransformersXVector

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8, 8],
    "conv_stride": [20, 16],
    "conv_kernel": [40, 32],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
SPEECH = np.sin(np.arange(24000) * 0.05).astype(np.float32)


@pytest.fixture
def recognizer_folder(tmp_path):
    torch.manual_seed(0)
    model = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(vocab_size=8, **SIZES))
    torch.nn.init.constant_(model.lm_head.bias[1:4], -100.0)  # never <s>, </s> and <unk>
    model.save_pretrained(tmp_path)
    vocabulary = {symbol: i for i, symbol in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", "A", "B", "C"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json")).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    return tmp_path


def test_a_folder_of_transformers_recognizes_as_its_model_does(recognizer_folder):
    recognizer = TransformersPipeline(str(recognizer_folder), "de", "cpu")
    model = transformers.Wav2Vec2ForCTC.from_pretrained(recognizer_folder).eval()
    inputs = transformers.Wav2Vec2FeatureExtractor()(SPEECH, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        ids = model(**inputs).logits.argmax(-1)[0]
    merged = torch.unique_consecutive(ids)
    expected = "".join({4: " ", 5: "A", 6: "B", 7: "C"}.get(int(i), "") for i in merged)
    assert recognizer(SPEECH, 16000).split() == expected.split() != []
    assert recognizer.name.startswith(f"{recognizer_folder.name} (transformers ")


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


def test_languages_are_known_without_their_region_and_others_are_an_error():
    known = ["en", "de", "yue"]
    assert [language_without_region(code, known, "m") for code in ("en-us", "DE", "eng", "yue")] == [
        "en", "de", "en", "yue",
    ]  # fmt: skip
    assert language_without_region(None, known, "m") is None
    with pytest.raises(ValueError, match=r"no language 'xx'. It has de, en, yue: give one"):
        language_without_region("xx", known, "m")
