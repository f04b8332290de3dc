"""A TCP proxy on loopback that a test can cut, shut, slow down, or make lose what passes it."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["BadNetwork", "Proxy"]

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class BadNetwork:
    """What a connection has to bear, each way: `delay` seconds, more or less by `jitter`, and so many bytes a second.

    A connection never loses a part of a stream: a lost packet is sent again, which shows as a pause. `loss` is how
    likely that is for what is passed on at once, `resent_after` the seconds it takes.
    """

    delay: float = 0.5
    jitter: float = 0.4
    bytes_per_second: int = 64_000
    loss: float = 0.05
    resent_after: float = 0.5

    def hold_up(self, size: int, chance: random.Random) -> None:
        """Take the time that `size` bytes need."""
        lost = self.resent_after if chance.random() < self.loss else 0.0
        wait = self.delay + chance.uniform(-self.jitter, self.jitter) + size / self.bytes_per_second
        time.sleep(wait + lost)


class Proxy:
    """Passes what comes to the port `listen` of loopback on to the port `target` and back.

    `lose_requests` and `lose_answers` take what comes from one side and drop it: the connections stay open.
    `network` is what both sides have to bear.
    """

    def __init__(self, listen: int, target: int) -> None:
        self.listen = listen
        self.target = target
        self.lose_requests = False
        self.lose_answers = False
        self.network: BadNetwork | None = None
        self._chance = random.Random(listen)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._door: socket.socket | None = None

    def start(self) -> None:
        """Take connections."""
        door = _socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", self.listen))
        door.listen(128)
        self._door = door
        threading.Thread(target=self._accept, args=(door,), daemon=True).start()

    def shut(self) -> None:
        """Refuse new connections and reset those that are open."""
        door, self._door = self._door, None
        if door is not None:
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            door.close()
        self.cut()

    def cut(self) -> None:
        """Reset every open connection; new ones are taken."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def heal(self) -> None:
        """Pass everything again. What was lost stays lost, so the connections that lost it are reset."""
        lost = self.lose_requests or self.lose_answers
        self.lose_requests = self.lose_answers = False
        if lost:
            self.cut()
        if self._door is None:
            self.start()

    def _choose(self) -> int:
        """The port for the next connection."""
        return self.target

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            server = _socket()
            try:
                server.connect(("127.0.0.1", self._choose()))
            except OSError:
                client.close()
                server.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for source, drain, inwards in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, drain, inwards), daemon=True).start()

    def _pump(self, source: socket.socket, drain: socket.socket, inwards: bool) -> None:
        try:
            while data := source.recv(_CHUNK):
                if self.network is not None:
                    self.network.hold_up(len(data), self._chance)
                if not (self.lose_requests if inwards else self.lose_answers):
                    drain.sendall(data)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {source, drain}
            for end in (source, drain):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
