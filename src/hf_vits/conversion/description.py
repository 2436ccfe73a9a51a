"""What kind of voice was found, in one line that every reader gives first, and in what type its weights were."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from hf_vits.configuration_vits import VitsConfig


def stored_as_float32(types: Iterable[str]) -> tuple[str, ...]:
    """A note on weights that were of another type."""
    others = sorted(set(types) - {"float32"})
    return (f"Stored as float32: weights of the type {', '.join(others)}.",) if others else ()


def described(kind: str, config: VitsConfig, state_dict: Mapping[str, Tensor], symbols: str = "") -> str:
    """
    Args:
        kind (`str`):
            The beginning of the line, such as "A Piper voice".
        config (`VitsConfig`):
            The architecture.
        state_dict (`Mapping[str, Tensor]`):
            The weights.
        symbols (`str`, *optional*):
            Number and kind of its symbols, where they are not as many as the embedding has rows.
    """
    speakers = "1 speaker" if config.num_speakers == 1 else f"{config.num_speakers} speakers"
    languages = f", {config.num_languages} languages" if config.num_languages > 1 else ""
    durations = "stochastic" if config.use_stochastic_duration_prediction else "plain"
    millions = sum(tensor.numel() for tensor in state_dict.values()) / 1e6
    return (
        f"{kind}: {config.sampling_rate:,} Hz, {speakers}{languages}, {symbols or f'{config.vocab_size} symbols'}, "
        f"{millions:.3g} million parameters; text encoder of {config.num_hidden_layers} layers and {config.text_size} "
        f"channels, {durations} duration predictor, {config.prior_encoder_num_flows} couplings, decoder of "
        f"{config.upsample_initial_channel} channels with residual blocks of type {config.resblock_type}, "
        f"{config.hop_length} samples per frame."
    )
