"""Limits of a call and their errors, for every runtime."""

from typing import Any

RANGES = {"speaking_rate": (0.1, 10.0), "noise_scale": (0.0, 10.0), "noise_scale_duration": (0.0, 10.0)}
"""Smallest and largest allowed value; outside of them the waveform is no speech and its length may be unbounded."""

MAX_TOKENS = 5_000
"""Tokens of a text, blanks included; attention takes about 1 GB for as many, and grows with the square."""

MAX_FRAMES_PER_ITEM = 2**15
"""6 minutes at 22,050 Hz and 256 samples a frame. The decoder takes 60 kB a frame, 2 GB in all."""

ENDLESS = (
    "The predicted durations are not finite: the weights are damaged or overflow their dtype, `speaking_rate` is too "
    "small, or `noise_scale_duration` too large."
)
"""The error of durations that are not finite."""


class NotFiniteError(ValueError):
    """The output for a text would hold NaN or infinity."""

    @classmethod
    def of(cls, name: str, dtype: Any) -> "NotFiniteError":
        """Return the error of an output of the model."""
        return cls(
            f"The {name} would hold NaN or infinity: weights of the model are damaged, or overflow {dtype}. "
            "Load the model again, in float32 or bfloat16 if it was float16; if that does not help, take another "
            "checkpoint (`hf-vits doctor` examines one)."
        )


def too_many_tokens(count: int) -> ValueError:
    """Return the error of a text of more than `MAX_TOKENS`."""
    return ValueError(
        f"The text has {count} tokens; one call takes at most {MAX_TOKENS}. Synthesize it sentence by sentence, for "
        "example with `hf_vits.text.sentence_splitter.split`."
    )


def too_many_frames(count: int, config: Any) -> ValueError:
    """Return the error of speech of more than `MAX_FRAMES_PER_ITEM`, of a model of this configuration."""
    seconds_per_frame = config.hop_length / config.sampling_rate
    return ValueError(
        f"The speech would last {count * seconds_per_frame:.0f} s, which is {count:,} frames; a call makes at most "
        f"{MAX_FRAMES_PER_ITEM:,} frames of a text, {MAX_FRAMES_PER_ITEM * seconds_per_frame:.0f} s. Raise "
        "`speaking_rate`, check `durations`, or synthesize sentence by sentence."
    )
