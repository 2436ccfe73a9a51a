"""Arguments that do not exist: an error that names those there are, and the one that was probably meant."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, TypeVar

from hf_vits.wording import alike, did_you_mean, quoted

Method = TypeVar("Method", bound=Callable)

OTHERS = {
    **dict.fromkeys(("speed", "rate", "tempo", "length_scale", "speech_rate"), "speaking_rate"),
    **dict.fromkeys(("speaker", "sid", "voice", "spk", "speaker_name", "speaker_ids"), "speaker_id"),
    **dict.fromkeys(("language", "lang", "language_name", "language_ids"), "language_id"),
    **dict.fromkeys(("noise_w", "noise_scale_w", "noise_scale_dp", "duration_noise_scale"), "noise_scale_duration"),
    **dict.fromkeys(("temperature", "noise"), "noise_scale"),
    **dict.fromkeys(("silence", "sentence_silence"), "pause"),
    "seed": "generator",
}
"""What other programs and other methods call an argument."""

HOW = {"length_scale": " (1 / length_scale)", "seed": " (torch.Generator().manual_seed(seed))"}
"""How the value of such an argument becomes that of ours, where it is not the same."""


def refuse_unknown(of: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise `TypeError` if any of the given names is not among the known ones; says which are, and which is near."""
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    name = unknown[0]
    raise TypeError(f"{of} has no argument {quoted(name)}{meant(name, known) or '.'} It takes {', '.join(known)}.")


def meant(name: str, known: Sequence[str]) -> str:
    """Return "; did you mean …?" with what was probably meant; an empty string if nothing is like it."""
    like = [OTHERS[name]] if OTHERS.get(name) in known else alike(name, known)
    return did_you_mean([f"{other}{HOW.get(name, '')}" for other in like])


def with_known_arguments(of: str = "", also: Sequence[str] = ()) -> Callable[[Method], Method]:
    """
    Make a method refuse arguments that it does not have.

    Args:
        of (`str`, *optional*):
            What the error calls the method; its own name if not given.
        also (`Sequence[str]`, *optional*):
            Arguments that somebody else has taken before the method is called.
    """

    def decorate(method: Method) -> Method:
        known = [*list(inspect.signature(method).parameters)[1:], *also]

        @wraps(method)
        def call(self, *args: Any, **kwargs: Any) -> Any:
            for name in kwargs:
                if name not in known:
                    refuse_unknown(of or method.__qualname__, kwargs, known)
            return method(self, *args, **kwargs)

        return call

    return decorate
