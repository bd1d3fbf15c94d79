"""Asks the bare endpoint what it runs: lets it answer two requests, with an ear at its database.

A process of its own, because the bare endpoint takes its database from the environment when it is imported. Reads the
two requests from its input, and prints for each the transactions: whether there was a BEGIN, and statements with their
values in order.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from bench import bare


class Listening:
    """Stands before the bare endpoint's database, and writes down what it is asked to run."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self.heard: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        """Return the database's method of this name, with an ear at it; several statements at once share a BEGIN."""
        method = getattr(self._db, name)

        async def heard(asked: Any, given: Mapping[str, Any]) -> Any:
            is_many = isinstance(asked, tuple | list)
            statements = [[raw.text, raw(given)] for raw in (asked if is_many else (asked,))]
            self.heard.append([is_many, statements])
            return await method(asked, given)

        return heard


async def listen(token: str, body: str) -> dict[str, list[Any]]:
    """Return what a session check and a verification run."""
    await bare.DB.open()
    heard = {}
    authorization = [(b"authorization", f"Bearer {token}".encode()), (b"host", b"127.0.0.1")]
    db = bare.DB
    for call, method, sent in (("session", "GET", b""), ("totp-verify", "POST", body.encode())):
        bare.DB = ear = Listening(db)
        await _request(method, f"/api/auth/{call}", authorization, sent)
        heard[call] = ear.heard
    return heard


async def _request(method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": ("127.0.0.1", 1)}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message  # noqa: PLR2004

    await bare.app(scope, receive, send)


if __name__ == "__main__":
    token, body = sys.stdin.read().splitlines()
    print(json.dumps(asyncio.run(listen(token, body)), default=str))
