"""Which configurations no model can have; every refusal names the values that do not go together."""

import math
from functools import partial
from itertools import pairwise

from hf_vits.sizes import check_size
from hf_vits.wording import quoted


def check_architecture(config) -> None:
    """Raises `ValueError` for a value out of range, or for two that contradict each other."""
    for check in CHECKS.values():
        check(config)


def _check_sizes(config) -> None:
    positive = (
        "vocab_size hidden_size num_hidden_layers num_attention_heads ffn_dim ffn_kernel_size flow_size "
        "num_speakers num_languages upsample_initial_channel depth_separable_num_layers duration_predictor_flow_bins "
        "duration_predictor_num_flows duration_predictor_filter_channels prior_encoder_num_flows "
        "prior_encoder_num_wavenet_layers posterior_encoder_num_wavenet_layers wavenet_dilation_rate "
        "sampling_rate num_mel_bins duration_predictor_tail_bound speaking_rate layer_norm_eps"
    )
    for name in positive.split():
        value = getattr(config, name)
        _require(math.isfinite(value) and value > 0, f"`{name}` is {value}; it must be above 0.")
    own = config.duration_predictor_layer_norm_eps
    _require(own is None or 0 < own < math.inf, f"`duration_predictor_layer_norm_eps` is {own}; it must be above 0.")
    for name in ("noise_scale", "noise_scale_duration"):
        value = getattr(config, name)
        _require(math.isfinite(value) and value >= 0, f"`{name}` is {value}; it must be a finite number from 0 up.")
    heads = config.num_attention_heads
    languages = f" with `language_embedding_size` ({size})" if (size := config.language_embedding_size) else ""
    _require(
        config.text_size % heads == 0,
        f"`hidden_size` ({config.hidden_size}){languages} must be a multiple of `num_attention_heads` ({heads}).",
    )
    _require(
        not config.window_size or config.window_size > 0,
        f"`window_size` is {config.window_size}; it must be 0 or more.",
    )
    for name in ("blank_id", "pad_token_id"):
        value = getattr(config, name)
        _require(
            value is None or 0 <= value < config.vocab_size,
            f"`{name}` ({value}) must be an id below `vocab_size` ({config.vocab_size}).",
        )
    dropouts = (
        "hidden_dropout attention_dropout activation_dropout wavenet_dropout duration_predictor_dropout layerdrop"
    )
    for name in dropouts.split():
        value = getattr(config, name)
        _require(0 <= value <= 1, f"`{name}` is {value}; a probability lies between 0 and 1.")
    _require(math.isfinite(config.leaky_relu_slope), f"`leaky_relu_slope` is {config.leaky_relu_slope}.")
    _check_activation(config.hidden_act)
    _require(config.flow_size % 2 == 0, f"`flow_size` ({config.flow_size}) must be even: couplings split it in 2.")
    _require(
        config.depth_separable_channels == 2,
        f"`depth_separable_channels` is {config.depth_separable_channels}; the duration flow has 2: value and noise.",
    )
    for name in ("wavenet_kernel_size", "duration_predictor_kernel_size"):
        kernel = getattr(config, name)
        _require(kernel > 0 and kernel % 2 == 1, f"`{name}` is {kernel}; it must be odd, to keep the length.")
    # Longer bins than the interval has room for would leave no width to distribute.
    bins = config.duration_predictor_flow_bins
    _require(bins < 1000, f"`duration_predictor_flow_bins` is {bins}; bins of least width 1e-3 leave room for 999.")


def _check_activation(name: str) -> None:
    from transformers.activations import ACT2FN  # imports torch, which reading a file of facts need not

    _require(name in ACT2FN, f"`hidden_act` is {name!r}; it must be one of {', '.join(ACT2FN)}.")


def _check_decoder(config) -> None:
    rates, kernels = list(config.upsample_rates), list(config.upsample_kernel_sizes)
    _require(
        len(rates) == len(kernels) and len(rates) > 0,
        f"`upsample_rates` has {len(rates)} stages ({rates}) and `upsample_kernel_sizes` {len(kernels)} ({kernels}); "
        "they must have the same number, at least one.",
    )
    for rate, kernel in zip(rates, kernels, strict=True):
        _require(
            rate > 0 and kernel >= rate and (kernel - rate) % 2 == 0,
            f"An upsampling kernel of {kernel} does not fit its rate of {rate}: kernel minus rate must be even and "
            "not negative, or frames would not become exactly `rate` samples each.",
        )
    channels, stages = config.upsample_initial_channel, len(rates)
    _require(
        channels % 2**stages == 0,
        f"`upsample_initial_channel` ({channels}) must be a multiple of {2**stages}: {stages} stages halve it.",
    )
    blocks, dilations = list(config.resblock_kernel_sizes), list(config.resblock_dilation_sizes)
    _require(
        len(blocks) == len(dilations) and len(blocks) > 0,
        f"`resblock_kernel_sizes` has {len(blocks)} blocks ({blocks}) and `resblock_dilation_sizes` "
        f"{len(dilations)} ({dilations}); they must have the same number, at least one.",
    )
    _require(all(k % 2 == 1 for k in blocks), f"`resblock_kernel_sizes` is {blocks}; every kernel must be odd.")
    _require(
        all(len(row) > 0 and all(d > 0 for d in row) for row in dilations),
        f"`resblock_dilation_sizes` is {dilations}; each block needs one or more dilations above 0.",
    )
    _require(
        config.resblock_type in ("1", "2"),
        f"`resblock_type` is {config.resblock_type!r}; HiFi-GAN has '1' and '2'.",
    )


def _check_named(kind: str, config) -> None:
    """Speakers, or languages: their number, vectors and names."""
    count, size = getattr(config, f"num_{kind}s"), getattr(config, f"{kind}_embedding_size")
    _require(size >= 0, f"`{kind}_embedding_size` is {size}; it must be 0 or more.")
    _require(
        count == 1 or size > 0,
        f"`num_{kind}s` is {count} but `{kind}_embedding_size` is {size}; several {kind}s need vectors.",
    )
    names = getattr(config, f"{kind}_names")
    if names is not None:
        names = list(names)
        _require(
            len(names) == count,
            f"`{kind}_names` has {len(names)} names but `num_{kind}s` is {count}; give one name per {kind}.",
        )
        repeated = [a for a, b in pairwise(sorted(names)) if a == b]
        _require(not repeated, f"`{kind}_names` repeats {repeated}; names must differ.")


def _check_signal(config) -> None:
    _require(
        config.posterior_input in ("linear", "mel"),
        f"`posterior_input` is {config.posterior_input!r}; the posterior encoder sees 'linear' or 'mel'.",
    )
    _require(config.spectrogram_bins > 1, f"`spectrogram_bins` is {config.spectrogram_bins}; it must be above 1.")
    window = config.fft_size if config.win_length is None else config.win_length
    _require(
        0 < window <= config.fft_size,
        f"`win_length` ({window}) must be above 0 and at most the FFT size {config.fft_size} that "
        f"`spectrogram_bins` ({config.spectrogram_bins}) implies.",
    )
    nyquist = config.sampling_rate / 2
    top = nyquist if config.mel_fmax is None else config.mel_fmax
    _require(
        0 <= config.mel_fmin < top <= nyquist,
        f"`mel_fmin` ({config.mel_fmin}) and `mel_fmax` ({top}) must satisfy 0 <= fmin < fmax <= {nyquist}, half the "
        "sampling rate.",
    )


def _check_lists(config) -> None:
    """What the declared types of the fields leave open: the rows of a list of lists."""
    rows = config.resblock_dilation_sizes
    whole = [isinstance(row, list | tuple) and all(type(dilation) is int for dilation in row) for row in rows]
    _require(all(whole), f"`resblock_dilation_sizes` is {quoted(rows)}; it must be a list of lists of whole numbers.")


CHECKS = {
    "lists": _check_lists,
    "size": check_size,
    "sizes": _check_sizes,
    "decoder": _check_decoder,
    "speakers": partial(_check_named, "speaker"),
    "languages": partial(_check_named, "language"),
    "signal": _check_signal,
}
"""The parts of `check_architecture`, each of which stops at what it refuses first."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
