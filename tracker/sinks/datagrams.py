"""HOST:PORT of a listener, and the datagrams sent to it."""

from __future__ import annotations

import socket

from startrack.tracker.sinks.base import SinkError


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """ "HOST:PORT", "HOST" or ":PORT" → host and port; the host is this machine unless named.

    Raises SinkError if the port is no number from 1 to 65535.
    """
    host, colon, port = text.rpartition(":") if ":" in text else (text, "", "")
    number = int(port) if port.isdecimal() else -1
    if colon and not 1 <= number <= 65535:
        raise SinkError(f"{text}: port {port!r}; expected HOST:PORT with a port from 1 to 65535")
    return host or "127.0.0.1", number if colon else default_port


class Datagrams:
    """Sends to one address over UDP. Nobody needs to listen, as with every tracker that feeds avatars."""

    def __init__(self, host: str, port: int) -> None:
        """Raises SinkError if the host has no address."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._socket, self._address = socket.socket(family, kind, protocol), address
        except OSError as error:
            raise SinkError(f"{host}:{port}: cannot be sent to: {error.strerror or error}") from error
        self._socket.setblocking(False)

    def send(self, datagram: bytes) -> None:
        """Dropped where the network is down or full: a live picture does not wait."""
        try:
            self._socket.sendto(datagram, self._address)
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()
