"""Limits of the model that a configuration describes, so that a damaged file is refused before a model is built."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hf_vits.utils.formatting import quoted

MOST = 2**24
"""Largest whole number of any field: vocabulary, channels, kernels, hertz."""

MOST_LAYERS = 5_000
"""Convolutions; the paper's model has 400."""

MOST_PARAMETERS = 2**30
"""4 GB of weights; the paper's model has 40 million."""

MOST_SPAN = 1_000_000
"""Frames or samples that one convolution spans, by kernel and dilation."""

MOST_HOP = 2**16
"""Samples per frame; 256 in the paper."""

LONGEST_LIST = 100
"""Entries of a list of layers, such as the stages of a decoder; 4 in the paper."""


def check_size(config) -> None:
    """Raise `ValueError` for a configuration of a model beyond these limits."""
    numbers = {name: getattr(config, name, None) for name in config.__dataclass_fields__}
    check_numbers({name: value for name, value in numbers.items() if isinstance(value, int)})
    for name, count, most in (
        ("layers", count_layers(config), MOST_LAYERS),
        ("weights", count_parameters(config), MOST_PARAMETERS),
        ("samples per frame", config.hop_length, MOST_HOP),
        ("positions that one convolution spans", _longest_span(config), MOST_SPAN),
    ):
        if count > most:
            raise ValueError(
                f"The configuration asks for {min(count, 10**300):.3g} {name}, and the most is {most:,}. VITS models "
                "have far fewer: the file is damaged, or of another model."
            )


def count_layers(config) -> int:
    """Return the approximate number of convolutions of a model."""
    separable = 3 * config.depth_separable_num_layers
    waves = config.prior_encoder_num_flows * config.prior_encoder_num_wavenet_layers
    return sum(
        (
            6 * config.num_hidden_layers,
            config.prior_encoder_num_flows * config.flow_config.count_layers(),
            2 * (waves + config.posterior_encoder_num_wavenet_layers) + 2 * config.prior_encoder_num_flows,
            2 * (config.duration_predictor_num_flows + 1) * (separable + 2),
            config.decoder_config.count_layers(),
        )
    )


def count_parameters(config) -> int:
    """Return the approximate number of weights of a model, without biases and norms."""
    return sum(_parts(config))


def _parts(config) -> Iterator[int]:
    c, text, hidden, speaker = config, config.text_size, config.hidden_size, config.speaker_embedding_size
    positions = 2 * (2 * (c.window_size or 0) + 1) * text // max(c.num_attention_heads, 1)
    yield c.vocab_size * hidden + c.num_languages * c.language_embedding_size + c.num_speakers * speaker
    yield c.num_hidden_layers * (4 * text * text + 2 * text * c.ffn_dim * c.ffn_kernel_size + positions)
    yield 2 * text * c.flow_size
    yield text * speaker if c.text_encoder_config.speaker_layer is not None else 0
    yield c.prior_encoder_num_flows * c.flow_config.count_parameters(c.flow_size)
    wave = 2 * hidden * (hidden * (c.wavenet_kernel_size + 1) + speaker)
    yield c.prior_encoder_num_flows * (c.prior_encoder_num_wavenet_layers * wave + hidden * c.flow_size)
    if not c.inference_only:
        bins = c.num_mel_bins if c.posterior_input == "mel" else c.spectrogram_bins
        yield c.posterior_encoder_num_wavenet_layers * wave + hidden * (bins + 2 * c.flow_size)
    if c.use_stochastic_duration_prediction:
        stack = c.depth_separable_num_layers * hidden * (hidden + c.duration_predictor_kernel_size)
        flow = stack + 3 * hidden * c.duration_predictor_flow_bins
        yield 2 * (c.duration_predictor_num_flows * flow + stack + 2 * hidden * hidden) + hidden * speaker
    else:
        filters = c.duration_predictor_filter_channels
        yield c.duration_predictor_kernel_size * filters * (text + filters) + text * speaker
    yield c.decoder_config.count_parameters(c.flow_size, speaker)


def _longest_span(config) -> float:
    """Return the positions that the widest convolution spans; dilations grow from layer to layer."""
    c = config
    grow = (
        (c.wavenet_kernel_size, c.wavenet_dilation_rate, c.prior_encoder_num_wavenet_layers),
        (c.wavenet_kernel_size, c.wavenet_dilation_rate, c.posterior_encoder_num_wavenet_layers),
        (c.duration_predictor_kernel_size, c.duration_predictor_kernel_size, c.depth_separable_num_layers),
    )
    spans = [kernel * 2.0 ** min(1000, (layers - 1) * math.log2(max(rate, 1))) for kernel, rate, layers in grow]
    return max([c.ffn_kernel_size, c.flow_config.transformer_kernel_size, c.decoder_config.longest_span(), *spans])


def check_numbers(fields: Mapping[str, Any]) -> None:
    """Raise `ValueError` for a whole number, alone or in a list, or a list that is larger than in any model."""
    for name, value in fields.items():
        if isinstance(value, list | tuple):
            _check_list(name, value)
        elif type(value) is int and abs(value) > MOST:
            raise ValueError(f"`{name}` is {quoted(value)}, beyond that of any model; the most is {MOST:,}.")


def _check_list(name: str, values: Sequence) -> None:
    if len(values) > LONGEST_LIST:
        raise ValueError(f"`{name}` has {len(values):,} entries; the most is {LONGEST_LIST}.")
    for value in values:
        if isinstance(value, int) and abs(value) > MOST:
            raise ValueError(f"`{name}` is {quoted(values)}; the most is {MOST:,}.")
