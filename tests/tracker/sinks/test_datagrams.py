from __future__ import annotations

import pytest

from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.datagrams import Datagrams, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", ("localhost", 9000)),
        ("10.0.0.7:39539", ("10.0.0.7", 39539)),
        (":39540", ("127.0.0.1", 39540)),
        ("::1:39540", ("::1", 39540)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text, 9000) == address


@pytest.mark.parametrize("text", ["localhost:", "localhost:0", "localhost:65536", "localhost:osc", "a:-1"])
def test_a_wrong_port_is_named(text: str) -> None:
    with pytest.raises(SinkError, match=r"expected HOST:PORT with a port from 1 to 65535"):
        parse_address(text, 9000)


def test_a_host_without_address_is_named() -> None:
    with pytest.raises(SinkError, match=r"no-such-host\.invalid:9000: cannot be sent to"):
        Datagrams("no-such-host.invalid", 9000)


def test_nobody_needs_to_listen() -> None:
    datagrams = Datagrams("127.0.0.1", 9)
    for _ in range(3):
        datagrams.send(b"x")
    datagrams.send(b"x" * 100_000)  # larger than any datagram
    datagrams.close()
    datagrams.close()
