"""The line to PostgreSQL, which the tests can cut at any statement: before it is sent, or before its answer comes.

It reads as much of the protocol as that wants (PostgreSQL 18, chapter 54): every message has a type, a length and a
content, save the first one of a connection.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

from faults.moments import Watch

SSL_REQUEST = 80877103
READY = b"Z"


class Line:
    """One connection through the wire."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._ends = (near, far)
        self.statements: dict[bytes, str] = {}
        self.is_muted = False

    def cut(self) -> None:
        """Break the connection on both sides, at once."""
        for end in self._ends:
            end.transport.abort()


class Wire:
    """Carries connections to a server until ``watch`` sees its moment; then ``act`` is called once, or it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.is_down = False
        self.stays_down = False
        self.watch: Watch | None = None
        self.act: Callable[[], Awaitable[None]] | None = None

    @contextlib.asynccontextmanager
    async def is_open(self) -> AsyncIterator[None]:
        """Take connections until the block ends."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self.go_down()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def go_down(self) -> None:
        """Cut every connection, and take none until ``is_down`` is no more."""
        self.is_down = True
        for line in list(self._lines):
            line.cut()

    async def _carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.is_down:
            near_out.transport.abort()
            return
        far_in, far_out = await asyncio.open_connection(*self._server)
        line = Line(near_out, far_out)
        self._lines.add(line)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                far_out.write(await self._beginning(near_in, near_out))
                await asyncio.gather(self._there(line, near_in, far_out), self._back(line, far_in, near_out))
        finally:
            line.cut()
            self._lines.discard(line)

    async def _beginning(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> bytes:
        while True:
            head = await near_in.readexactly(4)
            content = await near_in.readexactly(struct.unpack("!I", head)[0] - 4)
            if struct.unpack("!I", content[:4])[0] != SSL_REQUEST:
                return head + content
            near_out.write(b"N")

    async def _there(self, line: Line, near_in: asyncio.StreamReader, far_out: asyncio.StreamWriter) -> None:
        try:
            while True:
                kind, content = await _message(near_in)
                if self._is_moment(line, kind, content):
                    await self._happen(line)
                far_out.write(kind + struct.pack("!I", len(content) + 4) + content)
        finally:
            if not line.is_muted:
                line.cut()

    async def _back(self, line: Line, far_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        try:
            while True:
                kind, content = await _message(far_in)
                if not line.is_muted:
                    near_out.write(kind + struct.pack("!I", len(content) + 4) + content)
                elif kind == READY:
                    await self._end(line)
        finally:
            line.cut()

    def _is_moment(self, line: Line, kind: bytes, content: bytes) -> bool:
        name = content.split(b"\0")
        if kind == b"P":
            line.statements[name[0]] = name[1].decode()
        text = name[0].decode() if kind == b"Q" else line.statements.get(name[1], "") if kind == b"B" else ""
        return bool(text) and self.watch is not None and self.watch.comes(text)

    async def _happen(self, line: Line) -> None:
        assert self.watch is not None
        if self.watch.moment.is_done:
            line.is_muted = True
        else:
            await self._end(line)

    async def _end(self, line: Line) -> None:
        if self.act is not None:
            await self.act()
            return
        if self.stays_down:
            self.go_down()
        line.cut()
        raise ConnectionAbortedError


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    return kind, await reader.readexactly(length - 4)
