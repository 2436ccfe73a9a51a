"""Errors of what is too long say how long it is, and how long it may be."""

from types import SimpleNamespace

from hf_vits.inference.limits import MAX_FRAMES_PER_ITEM, MAX_TOKENS, too_many_frames, too_many_tokens


def test_frames_are_given_in_seconds_too():
    error = str(too_many_frames(100_000, SimpleNamespace(hop_length=160, sampling_rate=16_000)))
    assert "1000 s, which is 100,000 frames" in error  # a frame is a hundredth of a second
    assert f"{MAX_FRAMES_PER_ITEM:,} frames of a text, {MAX_FRAMES_PER_ITEM / 100:.0f} s" in error


def test_tokens_are_given_with_their_limit():
    assert f"6000 tokens; one call takes at most {MAX_TOKENS}." in str(too_many_tokens(6000))
