"""VitsConfig: upstream's fields with upstream's defaults, and extension fields whose defaults mean upstream."""

from collections.abc import Sequence
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from hf_vits.configuration_decoders import UPSTREAM_DECODER, DecoderConfig, decoder_config
from hf_vits.configuration_vits2 import FlowConfig, TextEncoderConfig
from hf_vits.utils.config_validation import StrictConfigMixin, check_architecture
from hf_vits.utils.registry import config_of


def index_of(kind: str, chosen: int | str, count: int, names: Sequence[str] | None) -> int:
    """Return the id of a speaker (or language, as `kind` says) given by id or name; `ValueError` if it is unknown."""
    if not isinstance(chosen, str):
        if not 0 <= chosen < count:
            raise ValueError(f"`{kind}_id` is {chosen}, but this model has {count} {kind}(s): pass 0 to {count - 1}.")
        return int(chosen)
    names = list(names or [])
    if chosen not in names:
        if names:
            advice = f"its {kind}s are {names}: pass one of those, or a number, 0 to {count - 1}"
        elif count > 1:
            advice = f"its {count} {kind}s have no names: pass a number, 0 to {count - 1}"
        else:
            advice = f"its one {kind} has no name: leave it out, or pass 0"
        raise ValueError(f"There is no {kind} {chosen!r} in this model; {advice}.")
    return names.index(chosen)


EXTENDED_MODEL_TYPE = "hf_vits"
"""`model_type` of a checkpoint that transformers cannot run; its Auto classes then refuse it."""

DERIVED = (
    "fft_size",
    "decoder_type",
    "decoder_config",
    "text_encoder_config",
    "flow_config",
    "needs_extension",
    "beyond_upstream",
    "text_size",
    "duration_norm_eps",
)
"""Properties, which are ignored where a file has them as fields."""


@strict
class VitsConfig(StrictConfigMixin, PreTrainedConfig):
    r"""
    Configuration of a [`VitsModel`]. Fields shared with `transformers.VitsConfig` have its names, defaults and meaning.

    A configuration that transformers cannot run (`needs_extension`) is saved with `model_type: "hf_vits"`;
    every other one is saved as `"vits"` and loads there.

    Args:
        vocab_size (`int`, *optional*, defaults to 38):
            Rows of the token embedding; at least the largest token id plus one.
        hidden_size (`int`, *optional*, defaults to 192):
            Channels of the text encoder, the duration predictor and the WaveNets.
        num_hidden_layers (`int`, *optional*, defaults to 6):
            Transformer layers of the text encoder.
        num_attention_heads (`int`, *optional*, defaults to 2):
            Attention heads per layer; divides `hidden_size`.
        window_size (`int`, *optional*, defaults to 4):
            Tokens to either side with a relative position embedding of their own; 0 or `None` for none.
        use_bias (`bool`, *optional*, defaults to `True`):
            Whether the four attention projections have a bias.
        ffn_dim (`int`, *optional*, defaults to 768):
            Channels inside the feed-forward convolutions.
        layerdrop (`float`, *optional*, defaults to 0.1):
            Upstream's probability of skipping an encoder layer in training. Read and saved, but not applied: the
            paper has none.
        ffn_kernel_size (`int`, *optional*, defaults to 3):
            Kernel of the feed-forward convolutions, in tokens.
        flow_size (`int`, *optional*, defaults to 192):
            Channels of the latents.
        spectrogram_bins (`int`, *optional*, defaults to 513):
            Frequency bins of the linear spectrogram, half the FFT size plus one.
        hidden_act (`str`, *optional*, defaults to `"relu"`):
            Activation of the feed-forward convolutions.
        hidden_dropout, attention_dropout, activation_dropout (`float`, *optional*, defaults to 0.1):
            Dropout after each sublayer, on attention weights, and inside the feed-forward.
        initializer_range (`float`, *optional*, defaults to 0.02):
            Upstream's standard deviation of new weights. Read and saved, but not used: layers are initialized as in the
            original.
        layer_norm_eps (`float`, *optional*, defaults to 1e-5):
            Epsilon of the text encoder's layer norms.
        use_stochastic_duration_prediction (`bool`, *optional*, defaults to `True`):
            Whether to use the flow-based duration predictor (section 2.2.2) or the deterministic one.
        num_speakers (`int`, *optional*, defaults to 1):
            Rows of the speaker table; above 1, every call must name a speaker.
        speaker_embedding_size (`int`, *optional*, defaults to 0):
            Channels of a speaker vector; 0 for a single-speaker model.
        upsample_initial_channel (`int`, *optional*, defaults to 512):
            Channels at the decoder's input, halved by each upsampling.
        upsample_rates, upsample_kernel_sizes (`list[int]`, *optional*):
            Stride and kernel of each transposed convolution; the product of the rates is the hop length.
        resblock_kernel_sizes (`list[int]`, *optional*):
            Kernel of each of the parallel residual blocks.
        resblock_dilation_sizes (`list[list[int]]`, *optional*):
            Dilations inside each of them.
        leaky_relu_slope (`float`, *optional*, defaults to 0.1):
            Negative slope in the decoder.
        depth_separable_channels (`int`, *optional*, defaults to 2):
            Channels of the duration flow: the log duration and its noise.
        depth_separable_num_layers (`int`, *optional*, defaults to 3):
            Layers in each dilated depth-separable stack.
        duration_predictor_flow_bins (`int`, *optional*, defaults to 10):
            Bins of the rational-quadratic spline.
        duration_predictor_tail_bound (`float`, *optional*, defaults to 5.0):
            The spline acts within ± this; outside it is the identity.
        duration_predictor_kernel_size (`int`, *optional*, defaults to 3):
            Kernel of the duration predictor's convolutions, in tokens.
        duration_predictor_dropout (`float`, *optional*, defaults to 0.5):
            Dropout in the duration predictor.
        duration_predictor_num_flows (`int`, *optional*, defaults to 4):
            Spline couplings in each of the duration predictor's two flows.
        duration_predictor_filter_channels (`int`, *optional*, defaults to 256):
            Channels of the deterministic duration predictor.
        prior_encoder_num_flows (`int`, *optional*, defaults to 4):
            Residual couplings of the prior flow.
        prior_encoder_num_wavenet_layers (`int`, *optional*, defaults to 4):
            WaveNet layers in each coupling.
        posterior_encoder_num_wavenet_layers (`int`, *optional*, defaults to 16):
            WaveNet layers of the posterior encoder.
        wavenet_kernel_size (`int`, *optional*, defaults to 5):
            Kernel of the WaveNets, in frames.
        wavenet_dilation_rate (`int`, *optional*, defaults to 1):
            Dilation of WaveNet layer *i* is this to the power *i*.
        wavenet_dropout (`float`, *optional*, defaults to 0.0):
            Dropout in the WaveNets.
        speaking_rate (`float`, *optional*, defaults to 1.0):
            Default of the call's argument; 2 speaks twice as fast. The inverse of VITS's `length_scale`.
        noise_scale (`float`, *optional*, defaults to 0.667):
            Default of the call's argument; scales the prior's standard deviation.
        noise_scale_duration (`float`, *optional*, defaults to 0.8):
            Default of the call's argument; scales the noise of the stochastic duration predictor.
        sampling_rate (`int`, *optional*, defaults to 16000):
            Samples per second of the waveform, in hertz.
        pad_token_id (`int`, *optional*):
            Padding id of the tokenizer.
        blank_id (`int`, *optional*, defaults to 0):
            Extension. Id of the blank between tokens; the tokenizer's `blank_token` is its name. Ignored by upstream,
            whose blank is 0.
        decoder (`dict`, *optional*):
            Extension. Another decoder than HiFi-GAN: `{"type": name, ...}` with the name that it is registered by and
            its fields. `None` is HiFi-GAN, whose fields are `upsample_*`, `resblock_*` and `leaky_relu_slope`.
        text_encoder (`dict`, *optional*):
            Extension. Fields of [`TextEncoderConfig`], as `{"speaker_layer": 2}`: a text encoder that knows
            the speaker (VITS2).
        flow (`dict`, *optional*):
            Extension. Fields of [`FlowConfig`], as `{"transformer": "pre_conv"}`: a transformer in each
            coupling (VITS2).
        resblock_type (`str`, *optional*, defaults to `"1"`):
            Extension. HiFi-GAN's residual block: `"1"` has two convolutions per dilation, `"2"` one (Piper's models of
            low and medium quality).
        inference_only (`bool`, *optional*, defaults to `False`):
            Extension. The checkpoint lacks what only training uses (posterior encoder, `duration_predictor.flows.1`,
            `duration_predictor.post_*`), as one converted from ONNX does.
        posterior_input (`str`, *optional*, defaults to `"linear"`):
            Extension. Input of the posterior encoder in training: `"linear"` is the paper's linear spectrogram,
            `"mel"` the log-mel of `num_mel_bins` bands.
        duration_predictor_layer_norm_eps (`float`, *optional*):
            Extension. Epsilon of the deterministic duration predictor's layer norms, 1e-4 in Coqui's; `None` is
            `layer_norm_eps`.
        num_languages (`int`, *optional*, defaults to 1):
            Extension. Rows of the language table; above 1, every call must name a language.
        language_embedding_size (`int`, *optional*, defaults to 0):
            Extension. Channels of a language vector, concatenated to the `hidden_size` channels of each token; 0 for a
            model without languages.
        speaker_names, language_names (`list[str]`, *optional*):
            Name of each speaker and of each language, in the order of their ids. Ignored by upstream.
        win_length (`int`, *optional*):
            STFT window in samples for training; `None` is the FFT size. Ignored by upstream.
        num_mel_bins (`int`, *optional*, defaults to 80):
            Mel bands of the training loss, and of `posterior_input="mel"`. Ignored by upstream.
        mel_fmin, mel_fmax (`float`, *optional*, defaults to 0.0 and `None`):
            Edges of the mel bank in hertz; `None` is half the sampling rate. Ignored by upstream.

    Raises:
        ValueError: for a value out of range, or two that contradict each other; names both.
        StrictDataclassError: for a value of the wrong type.

    Example:

    ```python
    >>> from hf_vits import VitsConfig, VitsModel

    >>> config = VitsConfig(resblock_type="2", num_speakers=4, speaker_embedding_size=64)
    >>> config.hop_length
    256
    >>> model = VitsModel(config)
    ```
    """

    model_type = "vits"
    model_types = ("vits", EXTENDED_MODEL_TYPE)

    vocab_size: int = 38
    hidden_size: int = 192
    num_hidden_layers: int = 6
    num_attention_heads: int = 2
    window_size: int | None = 4
    use_bias: bool = True
    ffn_dim: int = 768
    layerdrop: float | int = 0.1
    ffn_kernel_size: int = 3
    flow_size: int = 192
    spectrogram_bins: int = 513
    hidden_act: str = "relu"
    hidden_dropout: float | int = 0.1
    attention_dropout: float | int = 0.1
    activation_dropout: float | int = 0.1
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    use_stochastic_duration_prediction: bool = True
    num_speakers: int = 1
    speaker_embedding_size: int = 0
    upsample_initial_channel: int = 512
    upsample_rates: list[int] | tuple[int, ...] = (8, 8, 2, 2)
    upsample_kernel_sizes: list[int] | tuple[int, ...] = (16, 16, 4, 4)
    resblock_kernel_sizes: list[int] | tuple[int, ...] = (3, 7, 11)
    resblock_dilation_sizes: list | tuple = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    leaky_relu_slope: float = 0.1
    depth_separable_channels: int = 2
    depth_separable_num_layers: int = 3
    duration_predictor_flow_bins: int = 10
    duration_predictor_tail_bound: float | int = 5.0
    duration_predictor_kernel_size: int = 3
    duration_predictor_dropout: float | int = 0.5
    duration_predictor_num_flows: int = 4
    duration_predictor_filter_channels: int = 256
    prior_encoder_num_flows: int = 4
    prior_encoder_num_wavenet_layers: int = 4
    posterior_encoder_num_wavenet_layers: int = 16
    wavenet_kernel_size: int = 5
    wavenet_dilation_rate: int = 1
    wavenet_dropout: float | int = 0.0
    speaking_rate: float | int = 1.0
    noise_scale: float | int = 0.667
    noise_scale_duration: float | int = 0.8
    sampling_rate: int = 16_000
    pad_token_id: int | None = None

    blank_id: int = 0
    decoder: dict | None = None
    text_encoder: dict | None = None
    flow: dict | None = None
    resblock_type: str = "1"
    inference_only: bool = False
    posterior_input: str = "linear"
    duration_predictor_layer_norm_eps: float | None = None
    num_languages: int = 1
    language_embedding_size: int = 0
    speaker_names: list[str] | tuple[str, ...] | None = None
    language_names: list[str] | tuple[str, ...] | None = None
    win_length: int | None = None
    num_mel_bins: int = 80
    mel_fmin: float | int = 0.0
    mel_fmax: float | int | None = None

    @property
    def decoder_type(self) -> str:
        """The name under which the decoder is registered."""
        return UPSTREAM_DECODER if self.decoder is None else self.decoder["type"]

    @property
    def decoder_config(self) -> DecoderConfig:
        """The decoder's part of this configuration, which knows hop length, receptive field and size."""
        return decoder_config(self)

    @property
    def text_encoder_config(self) -> TextEncoderConfig:
        """The text encoder's part of this configuration beyond upstream's."""
        return config_of(TextEncoderConfig, self.text_encoder or {}, "text_encoder", is_registered=False)

    @property
    def flow_config(self) -> FlowConfig:
        """The flow's part of this configuration beyond upstream's."""
        return config_of(FlowConfig, self.flow or {}, "flow", is_registered=False)

    @property
    def hop_length(self) -> int:
        """Samples per latent frame."""
        return self.decoder_config.hop_length

    @property
    def fft_size(self) -> int:
        """Samples per STFT frame, from the number of frequency bins."""
        return 2 * (self.spectrogram_bins - 1)

    @property
    def text_size(self) -> int:
        """Channels inside the text encoder: of a token and its language vector."""
        return self.hidden_size + self.language_embedding_size

    @property
    def duration_norm_eps(self) -> float:
        """Epsilon of the deterministic duration predictor's layer norms."""
        own = self.duration_predictor_layer_norm_eps
        return self.layer_norm_eps if own is None else own

    def describe_vits2(self) -> list[tuple[str, str]]:
        """Return a row of the model card for each part of VITS2 that the model has."""
        layer = self.text_encoder_config.speaker_layer
        rows = [] if layer is None else [("text encoder", f"speaker vector added at layer {layer} (VITS2)")]
        rows += [("flow", self.flow_config.describe())] if self.flow_config.transformer else []
        return rows + ([("posterior encoder", "log-mels (VITS2)")] if self.posterior_input == "mel" else [])

    @property
    def beyond_upstream(self) -> list[str]:
        """Names of the fields for which transformers would build other layers."""
        has_own_eps = self.duration_norm_eps != self.layer_norm_eps and not self.use_stochastic_duration_prediction
        fields = {
            "decoder": self.decoder is not None,
            "text_encoder": self.text_encoder_config != TextEncoderConfig(),
            "flow": self.flow_config != FlowConfig(),
            "resblock_type": self.resblock_type != "1",
            "inference_only": self.inference_only,
            "posterior_input": self.posterior_input != "linear",
            "window_size": not self.window_size,
            "duration_predictor_layer_norm_eps": has_own_eps,
            "language_embedding_size": self.language_embedding_size > 0,
        }
        return [name for name, differs in fields.items() if differs]

    @property
    def needs_extension(self) -> bool:
        """True if transformers would build other layers from this configuration."""
        return bool(self.beyond_upstream)

    def speaker_index(self, speaker: int | str) -> int:
        """Return the id of a speaker given by id or name; `ValueError` for an unknown one, which lists the known."""
        return index_of("speaker", speaker, self.num_speakers, self.speaker_names)

    def language_index(self, language: int | str) -> int:
        """Return the id of a language given by id or name; `ValueError` for an unknown one, which lists the known."""
        return index_of("language", language, self.num_languages, self.language_names)

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> "VitsConfig":
        """Return this configuration; transformers would take `text_encoder` or `decoder` for it."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary; its `model_type` is `"vits"` if transformers can run the model, else `"hf_vits"`."""
        output = super().to_dict()
        for name in ("decoder", "text_encoder", "flow"):  # in which transformers looks for other configurations
            if not getattr(self, name):
                del output[name]
        output["model_type"] = EXTENDED_MODEL_TYPE if self.needs_extension else "vits"
        for name in ("noise_scale", "noise_scale_duration", "duration_predictor_tail_bound"):
            output[name] = float(output[name])  # upstream refuses whole numbers here
        return output

    @classmethod
    def of(cls, config: PreTrainedConfig) -> "VitsConfig":
        """Return `transformers.VitsConfig` as this class, and one of this package as it is."""
        return config if isinstance(config, VitsConfig) else cls.from_dict({**config.to_dict(), "model_type": "vits"})

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        """Build from a dictionary; arguments override its fields and are checked with them."""
        loaded = super().from_dict(config_dict, **kwargs)
        check_architecture(loaded[0] if isinstance(loaded, tuple) else loaded)
        return loaded

    def __post_init__(self, **kwargs):
        """Check at once, for a plain `ValueError`; `validate`, which saving calls, checks again after changes."""
        hop_length = kwargs.pop("hop_length", None)  # written by fine-tuning tools; here the decoder determines it
        super().__post_init__(**{name: value for name, value in kwargs.items() if name not in DERIVED})
        check_architecture(self)
        if hop_length not in (None, self.hop_length):
            raise ValueError(f"`hop_length` is {hop_length}, but the decoder is {self.decoder_config.describe()}.")

    def validate_architecture(self):
        """Raise `ValueError` for a value out of range, or two that contradict each other."""
        check_architecture(self)


class HfVitsConfig(VitsConfig):
    """[`VitsConfig`] under the model type of checkpoints that transformers cannot run."""

    model_type = EXTENDED_MODEL_TYPE
