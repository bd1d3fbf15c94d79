"""What a call asks of the database: how often it goes there, and how often it commits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from umbra.db.postgres import PostgresTransaction
from umbra.db.sqlite import SqliteTransaction


@contextmanager
def counted() -> Iterator[list[str]]:
    """Yield the list of statements that run while the block lasts, without their values."""
    texts: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for kind in (PostgresTransaction, SqliteTransaction):
            patch.setattr(kind, "_run", _noting(kind._run, texts))
        yield texts


def _noting(run: Any, texts: list[str]) -> Any:
    async def noted(self: Any, compiled: Any, values: list[Any]) -> Any:
        texts.append(compiled.text)
        return await run(self, compiled, values)

    return noted
