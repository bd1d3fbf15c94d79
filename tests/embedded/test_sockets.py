"""WebSockets: let in as a route lets in, and refused before anything is said on them."""

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import Depends, WebSocket
from starlette.types import Message

from embedded.conftest import ONE_OF_EACH
from embedded.hosts import Host
from support.people import BASE_URL

pytestmark = pytest.mark.parametrize("shape", ONE_OF_EACH, indirect=True)

ANN = {"X-Single-Sign-On": "ann"}


async def opened(host: Host, path: str, headers: dict[str, str], extensions: dict[str, Any]) -> list[Message]:
    """Open a socket as a server would, and return all that the application says."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        said.append(message)

    lines = {"host": urlsplit(BASE_URL).netloc} | headers
    scope = {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "ws",
        "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "subprotocols": [], "state": {},
        "extensions": extensions,
    }  # fmt: skip
    await host.app(scope, receive, send)
    return said


async def answer(host: Host, path: str, **headers: str) -> str:
    """Return what is said on a socket, or why it was refused."""
    said = await opened(host, path, headers, {"websocket.http.response": {}})
    if "websocket.accept" == said[0]["type"]:
        text: str = said[1]["text"]
        return text
    reason: str = json.loads(said[1]["body"])["reason"]
    return reason


@pytest.fixture
def news(host: Host) -> Host:
    """An application with two sockets."""

    @host.app.websocket("/news")
    async def news(socket: WebSocket, member: Annotated[Any, Depends(host.umbra.user())]) -> None:
        await socket.accept()
        await socket.send_text(f"hello {member.handle}")

    @host.app.websocket("/secrets")
    async def secrets(socket: WebSocket, member: Annotated[Any, Depends(host.umbra.user(mfa=True))]) -> None:
        raise AssertionError("nobody gets here")

    return host


@pytest.fixture
async def cookie(browser: httpx.AsyncClient) -> str:
    await browser.post("/enter", headers=ANN)
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


async def test_whoever_is_signed_in_is_let_in(news: Host, cookie: str) -> None:
    assert "not_authenticated" == await answer(news, "/news")
    assert "hello ann" == await answer(news, "/news", Cookie=cookie)


async def test_what_wants_a_second_factor_says_so(news: Host, cookie: str) -> None:
    assert "not_enabled" == await answer(news, "/secrets", Cookie=cookie)


async def test_another_site_cannot_open_one_with_the_cookie(news: Host, cookie: str) -> None:
    assert "origin_refused" == await answer(news, "/news", Cookie=cookie, Origin="https://elsewhere.example")
    assert "hello ann" == await answer(news, "/news", Cookie=cookie, Origin=BASE_URL)


async def test_a_server_that_cannot_answer_a_socket_closes_it_with_the_reason(news: Host, cookie: str) -> None:
    refused = await opened(news, "/secrets", {"Cookie": cookie}, {})
    assert [{"type": "websocket.close", "code": 1008, "reason": "not_enabled"}] == refused
