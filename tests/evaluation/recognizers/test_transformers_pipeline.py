"""A recognizer of transformers, with a tiny random model: as the model itself, called by hand."""

import json

import pytest
import torch
import transformers
from tiny_speech_models import SIZES, SPEECH

from hf_vits.evaluation.recognizers.transformers_pipeline import TransformersPipeline


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
