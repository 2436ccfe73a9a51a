"""Count the speech that whole answers hold in memory until they are sent, and keep it below a limit for all of them."""

from hf_vits.serving.errors import ApiError

RETRY_AFTER = 10
"""Seconds after which a client should try again, when others hold too much."""


class HeldMemory:
    """
    The memory that complete answers of a server hold.

    Args:
        most (`int`):
            Bytes, as 16-bit samples.
    """

    def __init__(self, most: int):
        self.most, self.size = most, 0


class Share:
    """
    The memory that one answer holds, until the end of a `with` block. Use it in the event loop of the server alone.

    Args:
        memory ([`HeldMemory`]):
            That of the server.
        sampling_rate (`int`):
            Samples per second of the answer.
    """

    def __init__(self, memory: HeldMemory, sampling_rate: int):
        self.memory, self.sampling_rate, self.size = memory, sampling_rate, 0

    def add(self, seconds: float) -> None:
        """Count seconds of speech; [`ApiError`] if they are too many for one answer, or for all together."""
        size = round(2 * self.sampling_rate * seconds)
        self.size += size
        self.memory.size += size
        if self.size > self.memory.most:
            longest = self.memory.most / 2 / self.sampling_rate
            message = (
                f"The speech is longer than a whole file may be, {longest:,.0f} s. Divide the text, or stream it: "
            )
            raise ApiError(400, f"{message}`stream: true`.", "answer_too_long", "stream")
        if self.memory.size > self.memory.most:
            message = "Other whole files that are being made hold all memory that they may. Try again, or stream: "
            headers = {"Retry-After": str(RETRY_AFTER)}
            raise ApiError(429, f"{message}`stream: true`.", "memory_full", "stream", headers)

    def __enter__(self) -> "Share":
        return self

    def __exit__(self, *_) -> None:
        self.memory.size -= self.size
