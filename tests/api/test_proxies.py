"""Behind proxies: whose address counts, and that a forged header gains nothing."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from support.mail import free_port
from support.people import API, Person
from support.proxies import CASES, TRUSTED, Case
from support.servers import environment_of, get, running
from support.tools import needs
from umbra.app import application
from umbra.audit import store as audit
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.crypto.keyring import new_key

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guides" / "proxy.md"
NGINX = ROOT / "examples" / "proxies" / "nginx.conf"
PUBLIC = "https://login.example.com"


@pytest.fixture
def behind(auth: Auth) -> Auth:
    """An installation with proxies in front of it."""
    given = auth.settings.model_dump() | {"trusted_proxies": TRUSTED, "public_url": PUBLIC}
    return replace(auth, settings=type(auth.settings).model_validate(given))


def client_of(auth: Auth, peer: str | None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=application(auth), client=(peer or "", 4711))
    if peer is None:
        transport.client = None  # type: ignore[assignment]  # what a server says of a connection without an address
    return httpx.AsyncClient(transport=transport, base_url=PUBLIC)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
async def test_the_client_is_the_last_hop_that_is_no_trusted_proxy(behind: Auth, case: Case) -> None:
    async with client_of(behind, case.peer) as client:
        body = {"username": "nobody", "password": "wrong"}
        answer = await client.post(API + "/login", json=body, headers=list(case.headers))
    (event,) = await audit.newest(behind.db, 1)

    assert (401, case.client) == (answer.status_code, event.ip)


def test_the_guides_table_is_what_is_tried() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.count("|") == 5]
    assert [case.row for case in CASES] == rows[2:], "\n".join(case.row for case in CASES)


async def test_scheme_and_host_come_from_the_public_address_alone(behind: Auth, clock: FixedClock) -> None:
    async with client_of(behind, "10.0.0.1") as client:
        person = Person("alice", client, clock)
        await person.register()
        forged = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example", "Host": "evil.example"}
        body = {"username": "alice", "password": person.password}
        foreign = await client.post(API + "/login", json=body, headers={**forged, "Origin": "https://evil.example"})
        own = await client.post(API + "/login", json=body, headers={**forged, "Origin": PUBLIC})

    assert (403, 200) == (foreign.status_code, own.status_code)
    assert own.headers["Set-Cookie"].startswith("__Host-umbra_session=")
    assert "Secure" in own.headers["Set-Cookie"]


@pytest.mark.parametrize("peer", ["203.0.113.1", "10.0.0.1"])
async def test_a_new_forged_address_for_each_guess_buys_no_guess(behind: Auth, clock: FixedClock, peer: str) -> None:
    """
    From a stranger, and through a proxy that adds the address that it sees.
    """
    async with client_of(behind, peer) as client:
        person = Person("alice", client, clock)
        await person.register()
        statuses = []
        for guess in range(6):
            seen = ", 198.51.100.7" if peer == "10.0.0.1" else ""
            headers = {"X-Forwarded-For": f"192.0.2.{guess}{seen}"}
            body = {"username": "alice", "password": f"wrong {guess}"}
            statuses.append((await client.post(API + "/login", json=body, headers=headers)).status_code)

    assert [401] * 5 + [429] == statuses


@contextmanager
def nginx(folder: Path, server: str) -> Iterator[str]:
    """Run nginx with the guide's configuration: without the certificate, which the test has none of."""
    port = free_port()
    ours = (
        NGINX.read_text().replace("listen 443 ssl", f"listen 127.0.0.1:{port}").replace("http://127.0.0.1:8000", server)
    )
    ours = re.sub(r"^ *ssl_\w+ .*\n", "", ours, flags=re.MULTILINE)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{ours}}}\n"
    )
    process = subprocess.Popen(
        ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log"), "-g", "daemon off;"]
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until and process.poll() is None and not _answers(port):
            time.sleep(0.05)
        assert process.poll() is None, (folder / "nginx.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        return get(f"http://127.0.0.1:{port}/healthz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.mark.race
def test_nginx_as_in_the_guide_names_the_client_and_hides_the_metrics(tmp_path: Path, sqlite_template: Path) -> None:
    needs("nginx", "nginx-light")
    shutil.copy(sqlite_template, tmp_path / "umbra.db")
    settings = {
        "data_dir": str(tmp_path / "data"),
        "database_url": f"sqlite:///{tmp_path}/umbra.db",
        "encryption_keys": new_key().reveal(),
        "public_url": PUBLIC,
        "trusted_proxies": "127.0.0.2",
        "registration": "open",
        "metrics": "1",
    }
    person = {"username": "alice", "password": "correct horse battery staple 9"}
    with running(1, tmp_path, environment_of(settings)) as (server,), nginx(tmp_path, server.address) as proxy:
        with httpx.Client(base_url=proxy, trust_env=False, headers={"X-Forwarded-For": "192.0.2.1"}) as client:
            client.post(API + "/register", json=person)
            answer = client.post(API + "/login", json=person | {"delivery": "token"})
            through = client.get("/metrics")
        beside = get(server.address + "/metrics")

    assert "127.0.0.1" == answer.json()["session"]["ip"]
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
    assert (404, 200) == (through.status_code, beside.status_code)
