"""What the server's log says, in both of its forms, and what it never says."""

import io
import json
import logging
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from support.people import API, BASE_URL, Person
from support.servers import environment_of, get, running
from umbra.api.router import router as api
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.logs import Json, Plain, configuration
from umbra.crypto.keyring import new_key
from umbra.pages import router as pages

MARK = "m4rkeds3cret"
TOKEN = "ums_" + MARK.ljust(43, "A")
"""It is of the form of a session's token, so that it is looked up."""

CALLS = [
    *((method, API + str(one.path)) for one in iter_route_contexts(api.routes) for method in one.methods or ()),
    *((method, str(one.path)) for one in iter_route_contexts(pages.router().routes) for method in one.methods or ()),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/no-such"),
    ("BREW", "/healthz"),
]
FIELDS = (
    "username", "password", "email", "mfa_token", "code", "backup_code", "name", "current_password", "new_password",
    "token", "csrf", "next", "id",
)  # fmt: skip
REQUEST_ID = re.compile(r"[0-9a-f]{16}")


@pytest.fixture
def written() -> Iterator[dict[str, io.StringIO]]:
    """Everything that is logged, in each form."""
    texts = {"plain": io.StringIO(), "json": io.StringIO()}
    handlers = [logging.StreamHandler(text) for text in texts.values()]
    for handler, formatter in zip(handlers, (Plain(), Json()), strict=True):
        handler.setFormatter(formatter)
        handler.addFilter(lambda record: not record.name.startswith("httpx"))  # the client of these tests
        logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    yield texts
    logging.getLogger().setLevel(level)
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


@pytest.fixture
async def logging_client(auth: Auth) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that writes JSON, behind a proxy that it trusts."""
    async with client_of(auth, log_format="json", metrics=True) as made:
        yield made


def client_of(auth: Auth, peer: str = "127.0.0.1", **settings: Any) -> httpx.AsyncClient:
    chosen = type(auth.settings).model_validate(auth.settings.model_dump() | settings)
    transport = httpx.ASGITransport(app=application(replace(auth, settings=chosen)), client=(peer, 4711))
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL)


def lines(written: dict[str, io.StringIO]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written["json"].getvalue().splitlines()]


def requests(written: dict[str, io.StringIO]) -> list[dict[str, Any]]:
    return [line for line in lines(written) if line["logger"] == "umbra.request"]


async def send_everything(client: httpx.AsyncClient, mark: str) -> None:
    """Put a secret wherever one can be put, in every call."""
    for method, path in CALLS:
        address = re.sub(r"{[^}]+}", mark, path) + f"?token={mark}&{mark}"
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Cookie": f"umbra_session={TOKEN}",
            "User-Agent": mark,
            "X-Request-Id": mark,
            "X-Forwarded-For": mark,
            "Referer": f"/{mark}",
        }
        body = dict.fromkeys(FIELDS, mark)
        await client.request(method, address, headers=headers, json=body)
        await client.request(method, address, headers={**headers, "Authorization": ""}, data=body)


async def test_every_call_leaves_a_line_and_none_repeats_what_was_sent(
    logging_client: httpx.AsyncClient, written: dict[str, io.StringIO]
) -> None:
    await send_everything(logging_client, MARK)

    assert 2 * len(CALLS) == len(requests(written))
    assert all(MARK not in text.getvalue() for text in written.values())


@pytest.mark.parametrize("kind", [ValueError, KeyError, RuntimeError])
async def test_a_fault_in_any_call_repeats_nothing_either(
    logging_client: httpx.AsyncClient,
    written: dict[str, io.StringIO],
    auth: Auth,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Exception],
) -> None:
    def fall(*_: Any) -> Any:
        raise kind(MARK)

    for way in ("read", "single", "unflushed", "begin"):
        monkeypatch.setattr(type(auth.db), way, fall)
    await send_everything(logging_client, MARK)
    faults = [line for line in lines(written) if line["logger"] == "umbra.fault"]

    assert len(faults) > 10
    assert all(MARK not in text.getvalue() for text in written.values())


async def test_a_life_with_a_second_factor_leaves_no_secret(
    logging_client: httpx.AsyncClient, written: dict[str, io.StringIO], clock: FixedClock
) -> None:
    person = Person("m4rkedname", logging_client, clock, email="m4rked@mail.example")
    await person.register()
    await person.sign_in()
    await person.enrol()
    token = await person.challenge()
    await person.verify(token, backup_code=person.backup_codes[0])
    await person.verify(await person.challenge(), backup_code=person.backup_codes[0])
    await logging_client.post("/sign-in", data={"username": person.username, "password": person.password})
    secrets = [person.username, person.password, person.secret, person.email or "", token, *person.backup_codes]
    secrets += logging_client.cookies.values()

    assert len(requests(written)) > 5
    assert [] == [one for one in secrets for text in written.values() if one in text.getvalue()]


async def test_a_line_says_what_was_asked_and_how_it_ended(
    logging_client: httpx.AsyncClient, written: dict[str, io.StringIO]
) -> None:
    answer = await logging_client.delete(API + "/sessions/17?why=none")
    (line,) = requests(written)
    duration, time = line.pop("duration"), line.pop("time")

    assert {
        "level": "info",
        "logger": "umbra.request",
        "message": "DELETE /api/auth/sessions/{session_id} 401",
        "request_id": answer.headers["X-Request-Id"],
        "method": "DELETE",
        "route": "/api/auth/sessions/{session_id}",
        "status": 401,
        "reason": "not_authenticated",
    } == line
    assert 0 < duration < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)


async def test_plain_lines_are_about_what_goes_wrong_only(
    client: httpx.AsyncClient, written: dict[str, io.StringIO]
) -> None:
    await client.get(API + "/session")

    assert "umbra" not in written["plain"].getvalue()


async def test_the_id_of_a_fault_is_the_requests_in_answer_and_log(
    logging_client: httpx.AsyncClient,
    written: dict[str, io.StringIO],
    auth: Auth,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fall(*_: Any) -> Any:
        raise LookupError(MARK)

    monkeypatch.setattr(type(auth.db), "read", fall)
    answer = await logging_client.get(API + "/session", headers={"Authorization": "Bearer ums_" + 43 * "A"})
    name = answer.headers["X-Request-Id"]
    fault, request = [line for line in lines(written) if line["logger"].startswith("umbra.")]

    assert (500, name) == (answer.status_code, answer.json()["error_id"])
    assert (name, f"fault {name}: LookupError") == (fault["request_id"], fault["message"])
    assert "in fall" in fault["traceback"]
    assert (name, "internal", 500) == (request["request_id"], request["reason"], request["status"])
    assert re.search(rf"fault {name}: LookupError \[{name}\]\n  File .* in \w+\n", written["plain"].getvalue())


async def test_every_answer_has_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    paths = ["/", "/healthz", "/no-such", API + "/session", "/sign-in", "/static/umbra.css"]
    ids = [(await client.get(path)).headers.get_list("X-Request-Id") for path in paths]

    assert all(REQUEST_ID.fullmatch(one) for (one,) in ids)
    assert len(paths) == len({one for (one,) in ids})


GIVEN = "3F2504E0-4f89-41d3-9a0c-0305e82c3301"


@pytest.mark.parametrize(
    ("peer", "given", "is_taken"),
    [
        ("10.0.0.1", [GIVEN], True),
        ("10.0.0.1", ["0" * 16], True),
        ("10.0.0.1", ["f" * 64], True),
        ("10.0.0.1", ["0" * 15], False),
        ("10.0.0.1", ["f" * 65], False),
        ("10.0.0.1", [GIVEN + "\n"], False),
        ("10.0.0.1", ["alice-alice-alice"], False),
        ("10.0.0.1", [""], False),
        ("10.0.0.1", [GIVEN, GIVEN], False),
        ("10.0.0.1", ["٣" * 16], False),
        ("192.0.2.1", [GIVEN], False),
        ("127.0.0.1", [GIVEN], False),
    ],
)
async def test_an_id_is_taken_from_a_trusted_proxy_alone_and_of_one_form(
    auth: Auth, peer: str, given: list[str], is_taken: bool
) -> None:
    headers = [(b"x-request-id", one.encode()) for one in given]
    async with client_of(auth, peer, trusted_proxies="10.0.0.0/8") as client:
        name = (await client.get("/healthz", headers=headers)).headers["X-Request-Id"]

    assert (is_taken, not is_taken) == (name == given[0], bool(REQUEST_ID.fullmatch(name)) and name not in given)


def test_an_exception_is_written_without_its_text() -> None:
    try:
        int(MARK)
    except ValueError as error:
        raised = (type(error), error, error.__traceback__)
    record = logging.LogRecord("somebody", logging.ERROR, "here", 1, "it %s", ("fell",), raised)
    plain, line = Plain().format(record), json.loads(Json().format(record))

    assert MARK not in plain + json.dumps(line)
    assert plain.endswith("ValueError")
    assert ("it fell", "error") == (line["message"], line["level"])
    assert line["traceback"].endswith("ValueError")


def test_what_is_no_json_is_written_as_text() -> None:
    record = logging.makeLogRecord({"msg": "it", "fields": {"where": Path("here")}})
    assert "here" == json.loads(Json().format(record))["where"]


@pytest.mark.race
@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_servers_own_lines_are_of_the_form(tmp_path: Path, sqlite_template: Path, form: str) -> None:
    shutil.copy(sqlite_template, tmp_path / "umbra.db")
    settings = {
        "data_dir": str(tmp_path / "data"),
        "database_url": f"sqlite:///{tmp_path}/umbra.db",
        "encryption_keys": new_key().reveal(),
        "log_format": form,
    }
    with running(1, tmp_path, environment_of(settings)) as (server,):
        get(f"{server.address}/healthz?{MARK}")
    text = server.log.read_text()
    ours = [line for line in text.splitlines() if "uvicorn" in line or "umbra.request" in line]

    assert MARK not in text
    assert len(ours) > 2
    assert all(("{" == line[0]) == (form == "json") for line in ours)
    if form == "json":
        assert {"uvicorn.error", "umbra.request"} == {json.loads(line)["logger"] for line in ours}


@pytest.mark.parametrize(("form", "formatter"), [("plain", Plain), ("json", Json)])
def test_a_process_is_told_which_form_to_use(form: Any, formatter: type[logging.Formatter]) -> None:
    chosen = configuration(form)["formatters"]["chosen"]["()"]
    assert f"{formatter.__module__}.{formatter.__name__}" == chosen
