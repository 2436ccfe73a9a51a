"""Exported graphs of a voice of several speakers, compared with the model that they are from."""

import numpy as np
import torch


def graph_files(folder, target):
    """The files of the graphs of a target, in the order in which they are run."""
    names = ("text-to-latents", "decode-window") if target == "split" else ("*",)
    return [file for name in names for file in folder.glob(f"{name}.onnx")]


def assert_graphs_equal_model(files, model, lengths, tolerance):
    """Texts of these numbers of tokens have the samples of the model, of its second speaker and without noise."""
    import onnxruntime

    first, *second = [onnxruntime.InferenceSession(str(file)) for file in files]
    for length in lengths:
        ids = torch.randint(0, 20, (1, length), generator=torch.Generator().manual_seed(length))
        feed = {"input": ids.numpy(), "input_lengths": np.array([length]), "sid": np.array([1])}
        samples, _ = first.run(None, feed | {"scales": np.array([0, 1, 0], np.float32)})
        for decoder in second:
            (samples,) = decoder.run(None, {"latents": samples, "sid": feed["sid"]})
        expected = model(ids, speaker_id=1, noise_scale=0, noise_scale_duration=0).waveform[0].detach().numpy()
        np.testing.assert_allclose(samples.reshape(-1)[: len(expected)], expected, rtol=0, atol=tolerance)
