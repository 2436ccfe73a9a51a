"""What the tests of exporting share: kinds of voices, and letters that one has."""

from pathlib import Path

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "export.md"

FEWER = {
    "num_hidden_layers": 1,
    "prior_encoder_num_flows": 2,
    "duration_predictor_num_flows": 2,
    "depth_separable_num_layers": 2,
}
"""Few layers, because tracing takes time for each, but enough to distinguish them."""

KINDS = {
    "paper": {},
    "piper": {"resblock_type": "2", "inference_only": True, "sampling_rate": 22_050, "leaky_relu_slope": 0.2},
    "speakers": {"num_speakers": 3, "speaker_embedding_size": 6, "speaker_names": ["ada", "bea", "cem"]},
    "plain durations": {"use_stochastic_duration_prediction": False, "num_speakers": 2, "speaker_embedding_size": 4},
    "one who could be several": {"speaker_embedding_size": 6},
    "languages": {"num_languages": 2, "language_embedding_size": 4, "language_names": ["en", "cs"]},
    "VITS2": {
        "num_speakers": 3,
        "speaker_embedding_size": 6,
        "text_encoder": {"speaker_layer": 0},
        "flow": {"transformer": "pre_conv"},
    },
    "no window": {"window_size": None, "wavenet_dilation_rate": 2},
}
LETTERS = "_abcdefghijklmno .'é"

PAPER = {
    "num_hidden_layers": 2,
    "depth_separable_num_layers": 3,
    "duration_predictor_filter_channels": 256,
    "duration_predictor_num_flows": 4,
    "posterior_encoder_num_wavenet_layers": 16,
    "prior_encoder_num_wavenet_layers": 4,
    "prior_encoder_num_flows": 4,
    "num_mel_bins": 80,
}
"""What the original's code has no setting for, and the paper's mel bins."""


def documented(words):
    """The one example in Python of the documentation that has these words."""
    blocks = DOCUMENTATION.read_text(encoding="utf-8").split("```python\n")[1:]
    (code,) = (code for code in (block.split("```")[0] for block in blocks) if words in code)
    return code
