"""What the original repository's code can build: for many sizes it has no setting, and for its judges none."""

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.judge_shapes import list_or_number
from hf_vits.discriminator import VitsDiscriminatorConfig

FIXED = {
    "window_size": 4,
    "wavenet_kernel_size": 5,
    "wavenet_dilation_rate": 1,
    "prior_encoder_num_flows": 4,
    "prior_encoder_num_wavenet_layers": 4,
    "posterior_encoder_num_wavenet_layers": 16,
    "leaky_relu_slope": 0.1,
    "layer_norm_eps": 1e-5,
    "hidden_act": "relu",
    "use_bias": True,
    "posterior_input": "linear",
    "language_embedding_size": 0,
}
FIXED_STOCHASTIC = {
    "duration_predictor_kernel_size": 3,
    "duration_predictor_num_flows": 4,
    "duration_predictor_flow_bins": 10,
    "duration_predictor_tail_bound": 5.0,
    "depth_separable_num_layers": 3,
    "depth_separable_channels": 2,
}
FIXED_PLAIN = {
    "duration_predictor_kernel_size": 3,
    "duration_predictor_filter_channels": 256,
    "duration_norm_eps": 1e-5,
}
"""What the original's code has no setting for."""

JUDGES = {
    "periods": (2, 3, 5, 7, 11),
    "period_channels": (32, 128, 512, 1024, 1024),
    "period_kernel_size": 5,
    "period_stride": 3,
    "scales": 1,
    "scale_channels": (16, 64, 256, 1024, 1024, 1024),
}
"""What it trains a voice against. Periods and stride leave no trace in weights, so that others would be misread."""


def check(config: VitsConfig) -> None:
    """Raises `ValueError` for a model that the original's code could not build."""
    fixed = FIXED | (FIXED_STOCHASTIC if config.use_stochastic_duration_prediction else FIXED_PLAIN)
    skipped = ("posterior_encoder_num_wavenet_layers", "posterior_input") if config.inference_only else ()
    differing = [
        f"{name} is {getattr(config, name)}, there {value}"
        for name, value in fixed.items()
        if getattr(config, name) != value and name not in skipped
    ]
    if config.num_speakers == 1 and config.speaker_embedding_size:
        differing.append("one speaker has a speaker vector, there none")
    if differing:
        raise ValueError(
            f"The original repository's code cannot build this voice: {'; '.join(differing)}. Its code has no setting "
            "for these; export it for another target."
        )


def check_judges(config: VitsDiscriminatorConfig) -> None:
    """Raises `ValueError` for judges that the original's code could not build, or would build otherwise."""
    differing = [
        f"{name} is {found}, there {list_or_number(value)}"
        for name, value in JUDGES.items()
        if (found := list_or_number(getattr(config, name))) != list_or_number(value)
    ]
    if differing:
        raise ValueError(
            f"The original repository's code cannot build these discriminators: {'; '.join(differing)}. It has no "
            "setting for these; export the voice without them: leave out `discriminator`, or move the folder "
            "discriminator/ out of the voice's."
        )
