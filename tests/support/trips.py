"""What a call asks of the database, and what of its answer could tell two callers apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from umbra.db.postgres import PostgresTransaction, _Use
from umbra.db.sqlite import SqliteTransaction


@contextmanager
def counted() -> Iterator[list[str]]:
    """Yield the list of statements that run while the block lasts, without their values.

    On PostgreSQL each is a round trip, and so are the beginning and the end of a transaction.
    """
    texts: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for kind in (PostgresTransaction, SqliteTransaction):
            patch.setattr(kind, "_run", _noting(kind._run, texts))
        patch.setattr(_Use, "_say", _noting_commands(_Use._say, texts))
        yield texts


def _noting(run: Any, texts: list[str]) -> Any:
    async def noted(self: Any, compiled: Any, values: list[Any]) -> Any:
        texts.append(compiled.text)
        return await run(self, compiled, values)

    return noted


def _noting_commands(say: Any, texts: list[str]) -> Any:
    async def noted(self: Any, command: str) -> None:
        texts.append(command)
        await say(self, command)

    return noted


def headers_of(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return every header in its order, but for the request's id, which is another one for each."""
    return [(name, value) for name, value in answer.headers.multi_items() if name != "x-request-id"]
