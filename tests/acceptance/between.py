"""A relay between a client and a mail server: a test hears what the client says and steps in.

    with Between(server.port) as line:
        line.before(rb"UID FETCH .* BODY", server.freeze)     once, before it reaches the server
        line.after(rb"UID MOVE", line.cut)                    once, when the server's answer is here
        ... the client connects to line.port ...

    with Namespace() as far:                  a machine at the other end of a cable (root only)
        Between(server.port, far.listen())    reached at FAR
        far.unplug()                          packets vanish; nobody is told

Only what is in the clear is heard.  A step runs in the relay's thread: the client waits for it,
and what it raises is raised by ``check``.
"""

import contextlib
import ctypes
import os
import re
import secrets
import select
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

Step = Callable[[], object]
_BLOCK = 1 << 16
#: This end of the cable, and the other: RFC 2544, for tests between machines.
_NEAR, FAR = (f"198.18.{net}.{end}" for net in [secrets.randbelow(256)] for end in (1, 2))
_CLONE_NEWNET = 0x40000000
_PATH = os.pathsep.join([os.defpath, "/usr/sbin", "/sbin"])


@dataclass(slots=True, eq=False)
class _Watch:
    pattern: re.Pattern[bytes]
    step: Step
    after: bool
    happened: threading.Event


@dataclass(slots=True, eq=False)
class _Pair:
    """One client, its connection to the server, and an answer that is being waited for."""

    client: socket.socket
    server: socket.socket
    watch: _Watch | None = None
    tag: bytes = b""
    held: bytes = b""


class Between:
    """The relay; ``listener`` may lie in another network namespace."""

    def __init__(self, port: int, listener: socket.socket | None = None) -> None:
        self._to = port
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._watches: list[_Watch] = []
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []
        self._closing = False
        self._threads = [threading.Thread(target=self._accept)]
        self.clients = 0

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in tuple(self._threads):
            thread.join(10)
        self._listener.close()
        if error is None:
            self.check()

    def before(self, pattern: bytes, step: Step) -> threading.Event:
        """Run ``step`` once, before a command that the client sends is passed on."""
        return self._add(pattern, step, after=False)

    def after(self, pattern: bytes, step: Step) -> threading.Event:
        """Run ``step`` once, when a command is answered, before the answer is passed on."""
        return self._add(pattern, step, after=True)

    def cut(self) -> None:
        """End every connection, without a word to either side."""
        with self._lock:
            for pair in self._pairs:
                for side in (pair.client, pair.server):
                    with contextlib.suppress(OSError):
                        side.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raise what a step raised."""
        if self._errors:
            raise self._errors[0]

    # -- within ----------------------------------------------------------------------------

    def _add(self, pattern: bytes, step: Step, *, after: bool) -> threading.Event:
        watch = _Watch(re.compile(pattern), step, after, threading.Event())
        with self._lock:
            self._watches.append(watch)
        return watch.happened

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._to), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.clients += 1
            pair = _Pair(client, server)
            thread = threading.Thread(target=self._relay, args=(pair,))
            with self._lock:
                self._pairs.append(pair)
                self._threads.append(thread)
            thread.start()

    def _relay(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError), pair.client, pair.server:
            while self._pass_on(pair):
                pass
        with self._lock:
            self._pairs.remove(pair)

    def _pass_on(self, pair: _Pair) -> bool:
        readable, _, _ = select.select([pair.client, pair.server], [], [])
        for side in readable:
            data = side.recv(_BLOCK)
            if not data:
                return False
            if side is pair.client:
                self._hear(pair, data)
                pair.server.sendall(data)
            elif data := self._answered(pair, data):
                pair.client.sendall(data)
        return True

    def _hear(self, pair: _Pair, data: bytes) -> None:
        with self._lock:
            fit = next((one for one in self._watches if one.pattern.search(data)), None)
            if fit is not None:
                self._watches.remove(fit)
        if fit is None:
            return
        if fit.after:
            pair.watch, pair.tag, pair.held = fit, data.split(b" ", 1)[0], b""
        else:
            self._run(fit)

    def _answered(self, pair: _Pair, data: bytes) -> bytes:
        """Hold back what the server says until it is the whole answer that is waited for."""
        if pair.watch is None:
            return data
        pair.held += data
        if not re.search(rb"(?:\A|\n)" + re.escape(pair.tag) + rb" [^\n]*\n\Z", pair.held):
            return b""
        watch, pair.watch = pair.watch, None
        self._run(watch)
        return pair.held

    def _run(self, watch: _Watch) -> None:
        try:
            watch.step()
        except BaseException as error:  # noqa: BLE001  it is raised in the test's thread
            self._errors.append(error)
        watch.happened.set()


# Another machine.


def namespace_missing() -> str | None:
    """Say what this machine lacks for a network namespace, if anything."""
    if shutil.which("ip", path=_PATH) is None:
        return "ip is not installed: apt-get install iproute2"
    name = f"ingestd-{secrets.token_hex(4)}"
    with contextlib.suppress(subprocess.CalledProcessError):
        _ip("netns", "add", name)
        _ip("netns", "del", name)
        return None
    return "network namespaces are not permitted here: run as root, with CAP_SYS_ADMIN"


class Namespace:
    """A network namespace with a cable to this one."""

    def __init__(self) -> None:
        mark = secrets.token_hex(3)
        self._name, self._here, self._there = f"ingestd-{mark}", f"ih{mark}", f"it{mark}"

    def __enter__(self) -> Self:
        _ip("netns", "add", self._name)
        try:
            link = ("link", "add", self._here, "type", "veth", "peer", "name", self._there)
            _ip(*link, "netns", self._name)
            _ip("addr", "add", f"{_NEAR}/30", "dev", self._here)
            _ip("link", "set", self._here, "up")
            _ip("-n", self._name, "addr", "add", f"{FAR}/30", "dev", self._there)
            self.plug()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for end in (("link", "del", self._here), ("netns", "del", self._name)):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip(*end)

    def listen(self) -> socket.socket:
        """Give a socket that listens there; its connections are there too, whoever serves them."""
        made: list[socket.socket] = []
        thread = threading.Thread(target=lambda: made.append(self._listen()))
        thread.start()
        thread.join()
        return made[0]

    def _listen(self) -> socket.socket:
        with Path(f"/run/netns/{self._name}").open() as place:
            if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return socket.create_server((FAR, 0))

    def unplug(self) -> None:
        """Pull the cable at the far end: what is sent vanishes."""
        _ip("-n", self._name, "link", "set", self._there, "down")

    def plug(self) -> None:
        _ip("-n", self._name, "link", "set", self._there, "up")


def _ip(*arguments: str) -> None:
    command = [shutil.which("ip", path=_PATH) or "ip", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=10)
