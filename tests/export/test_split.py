import numpy as np
import pytest
import soundfile
import torch
from export_voices import KINDS, documented

from hf_vits import VitsTokenizer
from hf_vits.export import export


@pytest.fixture(scope="module", params=["paper", "piper", "speakers"])
def halves(request, make_model, make_voice_tokenizer, tmp_path_factory):
    """A model, sessions of both graphs, and the speaker to give to them."""
    onnxruntime = pytest.importorskip("onnxruntime")
    model, folder = make_model(**KINDS[request.param]), tmp_path_factory.mktemp("split") / "out"
    export(model, make_voice_tokenizer(), folder, "split")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    names = ("text-to-latents.onnx", "decode-window.onnx")
    sessions = [onnxruntime.InferenceSession(str(folder / name), options) for name in names]
    return model, folder, sessions, {"sid": np.array([2])} if request.param == "speakers" else {}


def latents_of(session, speaker, tokens=40):
    ids = torch.randint(0, 20, (1, tokens), generator=torch.Generator().manual_seed(3))
    feed = {"input": ids.numpy(), "input_lengths": np.array([tokens]), "scales": np.array([0, 1, 0], np.float32)}
    return ids, session.run(None, feed | speaker)[0]


@pytest.mark.parametrize("window", [1, 7, 30])
def test_windows_with_the_context_of_the_metadata_equal_the_whole(halves, silent, window):
    model, _, (first, second), speaker = halves
    ids, latents = latents_of(first, speaker)
    about = second.get_modelmeta().custom_metadata_map
    context, hop, frames = int(about["context_frames"]), int(about["hop_length"]), latents.shape[-1]
    chunks = []
    for start in range(0, frames, window):
        end, left = min(start + window, frames), max(0, start - context)
        samples = second.run(None, {"latents": latents[..., left : end + context], **speaker})[0]
        chunks.append(samples[0, 0, hop * (start - left) : hop * (end - left)])
    streamed = np.concatenate(chunks)
    whole = second.run(None, {"latents": latents, **speaker})[0][0, 0]
    np.testing.assert_allclose(streamed, whole, rtol=0, atol=1e-5)
    expected, _ = silent(model, ids, 2 if speaker else None)
    np.testing.assert_allclose(streamed, expected, rtol=0, atol=1e-4)
    assert int(about["sample_rate"]) == model.config.sampling_rate


def test_less_context_would_not_do(halves):
    _, _, (first, second), speaker = halves
    _, latents = latents_of(first, speaker)
    about = second.get_modelmeta().custom_metadata_map
    context, hop = int(about["context_frames"]), int(about["hop_length"])
    whole = second.run(None, {"latents": latents, **speaker})[0][0, 0]
    differences = {}
    for less in (context, context - 1):
        samples = second.run(None, {"latents": latents[..., 20 - less :], **speaker})[0][0, 0]
        differences[less] = np.abs(samples[hop * less :] - whole[hop * 20 :]).max()
    assert differences[context] < 1e-5 < 10 * differences[context - 1] + 1e-5


def test_the_tokenizer_lies_beside_the_graphs(halves, make_voice_tokenizer):
    found = VitsTokenizer.from_pretrained(halves[1])
    assert found("a cabé").input_ids == make_voice_tokenizer()("a cabé").input_ids


def test_the_example_of_the_documentation_runs(halves, tmp_path, monkeypatch):
    model, folder, _, speaker = halves
    if speaker:
        pytest.skip("the example is of a voice of one speaker")
    (tmp_path / "out").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(documented("def stream("), namespace)
    samples, rate = soundfile.read("hello.wav")
    assert rate == model.config.sampling_rate and len(samples) == sum(map(len, namespace["chunks"])) > 0
