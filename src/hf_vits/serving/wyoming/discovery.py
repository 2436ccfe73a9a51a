"""Announce a server to Home Assistant by zeroconf (mDNS and DNS-SD), and take the announcement back at its end."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SERVICE = "_wyoming._tcp.local."
"""Type of the service, which Home Assistant looks for."""

GROUP = ("224.0.0.251", 5353)
"""Address of mDNS; what this machine would send to it comes from the address that others can reach."""


@asynccontextmanager
async def announced(name: str, host: str, port: int) -> AsyncIterator[None]:
    """
    Announce a server during an `async with` block.

    Args:
        name (`str`):
            What Home Assistant shows.
        host (`str`):
            Where the server listens: a name or an IPv4 address, 0.0.0.0 or :: for all addresses of the machine.
        port (`int`):
            Its port.

    Raises:
        OSError: if the machine has no address in a network.
        ValueError: if a server of this name is announced already.
    """
    from zeroconf import NonUniqueNameException
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    info = AsyncServiceInfo(SERVICE, f"{name}.{SERVICE}", addresses=[socket.inet_aton(_address(host))], port=port)
    zeroconf = AsyncZeroconf()
    try:
        await zeroconf.async_register_service(info)
        yield
    except NonUniqueNameException as error:
        raise ValueError(f"A server with the name {name!r} is announced already; give another one.") from error
    finally:
        await zeroconf.async_close()  # which unregisters the service


def _address(host: str) -> str:
    """Return the IPv4 address by which others reach a host of this machine."""
    try:
        if host not in ("0.0.0.0", "::"):
            return socket.gethostbyname(host)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as test:
            test.connect(GROUP)  # sends nothing
            return test.getsockname()[0]
    except OSError as error:
        raise OSError(
            f"The server cannot be announced: {str(error).rstrip('.')}. Give the address of this machine in the "
            "network as tcp://HOST:PORT, or leave the announcement out."
        ) from error
