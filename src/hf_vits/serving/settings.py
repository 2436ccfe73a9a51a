"""Limits and options of the HTTP server."""

from dataclasses import dataclass, fields

from hf_vits.serving.encoders.base import RATES


@dataclass(frozen=True)
class ServerSettings:
    """
    The limits of the server. All times are in seconds.

    Args:
        max_characters (`int`, *optional*, defaults to 20,000):
            Longest text of a request; half an hour of speech.
        max_body_bytes (`int`, *optional*, defaults to 1,000,000):
            Largest body of a request.
        max_header_bytes (`int`, *optional*, defaults to 32,768):
            Largest request line and headers together.
        max_whole_bytes (`int`, *optional*, defaults to 1,000,000,000):
            Samples, of two bytes each, that whole files hold in memory together until they are complete: six hours at
            22,050 Hz. Streams hold none.
        header_seconds (`float`, *optional*, defaults to 10.0):
            Time for a client to send its headers.
        body_seconds (`float`, *optional*, defaults to 30.0):
            Time for a client to send the body.
        stall_seconds (`float`, *optional*, defaults to 300.0):
            Time for a client to take the next part of an answer, as a player that was paused does not.
        request_seconds (`float`, *optional*, defaults to 3,600.0):
            Time for the whole answer.
        sample_rate (`int`, *optional*):
            Samples per second of answers, for clients that expect a certain one; by default those of the voice.
        api_key (`str`, *optional*):
            Secret that requests to `/v1/` and `/metrics` must give as a bearer token.
        cors_origins (`tuple[str, ...]`, *optional*):
            Origins of web pages that may use the server; `"*"` for all.
        hosts (`tuple[str, ...]`, *optional*):
            Names, lower case and without a port, by which clients may call the server, beside `localhost` and IP
            addresses; by default any. Without this check, a web page can let its own name stand for the address of
            this machine, and so be of the same origin as the server (DNS rebinding).
    """

    max_characters: int = 20_000
    max_body_bytes: int = 1_000_000
    max_header_bytes: int = 32_768
    max_whole_bytes: int = 1_000_000_000
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    stall_seconds: float = 300.0
    request_seconds: float = 3_600.0
    sample_rate: int | None = None
    api_key: str | None = None
    cors_origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None

    def __post_init__(self):
        for field in fields(self)[:8]:
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"`{field.name}` is {value!r}; it must be above 0.")
        if self.sample_rate is not None and not RATES[0] <= self.sample_rate <= RATES[1]:
            raise ValueError(f"`sample_rate` is {self.sample_rate}; it must be {RATES[0]} to {RATES[1]}.")
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.strip() == self.api_key != ""):
            raise ValueError("The API key must be ASCII characters without white space at its ends, one or more.")
