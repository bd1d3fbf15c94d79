"""What Prometheus is told, and who may ask."""

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.people import BASE_URL, Person
from support.servers import environment_of, get, running
from umbra import upkeep
from umbra.app import application
from umbra.audit import store as audit
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.errors import Unavailable
from umbra.crypto.keyring import new_key
from umbra.web.metrics import FORWARDING, Metrics
from umbra.web.problems import ANSWERS

Labels = tuple[tuple[str, str], ...]


@pytest.fixture
def counted(auth: Auth) -> Auth:
    """An installation that counts."""
    return replace(auth, settings=auth.settings.model_copy(update={"metrics": True}))


@pytest.fixture
async def watched(counted: Auth) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(counted) as made:
        yield made


def client_of(auth: Auth, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=application(auth), client=(peer, 4711))
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL)


def read(text: str) -> dict[tuple[str, Labels], float]:
    """Return every sample by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def value(client: httpx.AsyncClient, name: str, **labels: str) -> float:
    samples = read((await client.get("/metrics")).text)
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


async def test_nothing_is_there_unless_it_is_asked_for(auth: Auth) -> None:
    async with client_of(auth) as client:
        answer, unknown = await client.get("/metrics"), await client.get("/no-such")

    assert (404, unknown.json()) == (answer.status_code, answer.json())


def test_a_server_without_metrics_does_not_load_what_they_need() -> None:
    asked = "import sys, umbra.app; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)

    assert "False\n" == done.stdout


async def test_requests_are_counted_by_what_they_asked_and_how_it_ended(watched: httpx.AsyncClient) -> None:
    await watched.get("/api/auth/session")
    await watched.get("/api/auth/session")
    await watched.delete("/api/auth/sessions/17")

    assert 2 == await value(watched, "umbra_requests_total", method="GET", route="/api/auth/session", status="401")
    assert 1 == await value(
        watched, "umbra_requests_total", method="DELETE", route="/api/auth/sessions/{session_id}", status="401"
    )
    assert 2 == await value(watched, "umbra_request_seconds_count", method="GET", route="/api/auth/session")
    assert 3 == await value(watched, "umbra_refusals_total", reason="not_authenticated")


async def test_what_people_make_up_is_one_label(watched: httpx.AsyncClient) -> None:
    for made_up in ("/a", "/b", "/api/auth/c", "/d?e=f"):
        await watched.get(made_up)
    await watched.request("BREW", "/coffee")
    await watched.request("BREW", "/api/auth/login")

    assert 4 == await value(watched, "umbra_requests_total", method="GET", route="other", status="404")
    assert 1 == await value(watched, "umbra_requests_total", method="other", route="other", status="404")
    assert 1 == await value(watched, "umbra_requests_total", method="other", route="/api/auth/login", status="405")


async def test_outcomes_of_the_second_factor_are_told_apart(watched: httpx.AsyncClient, clock: FixedClock) -> None:
    person = Person("alice", watched, clock)
    await person.register()
    await person.sign_in()
    await person.enrol()

    async def step_up(code: str) -> None:
        await watched.post("/api/auth/step-up", json={"code": code})

    clock.move(timedelta(minutes=1))
    good = person.code()
    await step_up(good)
    await step_up(good)
    await step_up("000000" if good != "000000" else "111111")

    def outcome(reason: str) -> Any:
        return value(watched, "umbra_events_total", event="step_up", reason=reason, method="totp")

    assert [1, 1, 1] == [await outcome(reason) for reason in ("done", "replayed", "wrong")]


async def test_every_event_is_counted_once(watched: httpx.AsyncClient, counted: Auth, clock: FixedClock) -> None:
    person = Person("alice", watched, clock)
    await person.register()
    await person.sign_in()
    await person.enrol()
    await watched.post("/api/auth/login", json={"username": "alice", "password": "no"})
    samples = read((await watched.get("/metrics")).text)
    events = await audit.newest(counted.db, 100)

    assert len(events) == sum(value for (name, _), value in samples.items() if name == "umbra_events_total")


async def test_the_queue_of_mail_and_the_state_of_the_database_are_facts(
    watched: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, counted: Auth
) -> None:
    assert 1 == await value(watched, "umbra_database_up")
    assert ("umbra_mail_waiting", ()) in read((await watched.get("/metrics")).text)

    def gone(_: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(type(counted.db), "read", gone)
    without = read((await watched.get("/metrics")).text)

    assert 0 == without["umbra_database_up", ()]
    assert ("umbra_mail_waiting", ()) not in without


async def test_clean_up_leaves_its_time_and_its_rows(counted: Auth, clock: FixedClock) -> None:
    metrics = Metrics(counted)
    started = clock.now().timestamp()

    async def shown(name: str, *labels: tuple[str, str]) -> float:
        return read(bytes((await metrics.page()).body).decode())[name, labels]

    assert started == await shown("umbra_cleanup_timestamp_seconds")
    clock.move(timedelta(minutes=5))
    metrics.cleaned(upkeep.Cleaned(1, 2, 3, 4, 5, 6, 7))

    assert started + 300 == await shown("umbra_cleanup_timestamp_seconds")
    assert 4 == await shown("umbra_cleanup_rows_total", ("kind", "sessions"))


async def test_the_pools_are_looked_at(counted: Auth) -> None:
    metrics = Metrics(counted)
    async with counted.hashing.slot(), counted.hashing.slot(), counted.hashing.slot(), counted.db.begin():
        text = bytes((await metrics.page()).body).decode()
    samples = read(text)

    assert (2, 1) == tuple(samples["umbra_hashing_callers", (("state", state),)] for state in ("working", "waiting"))
    if not counted.db.is_sqlite:
        assert 2 == samples["umbra_database_callers", (("state", "working"),)] + 1  # the page's own query came after
        assert 0 == samples["umbra_database_callers", (("state", "waiting"),)]


@pytest.mark.parametrize(
    ("peer", "may"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("192.168.3.4", True),
        ("fd00::1", True),
        ("10.9.9.9", False),
        ("::ffff:10.9.9.9", False),
        ("8.8.8.8", False),
        ("2a00:1450::1", False),
        ("unix", False),
    ],
)
async def test_only_who_sits_beside_the_server_may_read_it(counted: Auth, peer: str, may: bool) -> None:
    proxies = (ipaddress.ip_network("10.0.0.0/8"),)
    behind = replace(counted, settings=counted.settings.model_copy(update={"trusted_proxies": proxies}))
    async with client_of(behind, peer) as client:
        assert (200 if may else 404) == (await client.get("/metrics")).status_code


@pytest.mark.parametrize("header", sorted(name.decode() for name in FORWARDING))
async def test_what_a_proxy_forwards_finds_nothing(watched: httpx.AsyncClient, header: str) -> None:
    assert 404 == (await watched.get("/metrics", headers={header: "192.0.2.1"})).status_code


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_find_nothing(watched: httpx.AsyncClient, method: str) -> None:
    assert 404 == (await watched.request(method, "/metrics")).status_code


async def test_no_label_holds_what_somebody_sent(watched: httpx.AsyncClient, clock: FixedClock) -> None:
    marked = "m4rkedm4rked"
    person = Person(marked, watched, clock)
    await person.register()
    await person.sign_in()
    await watched.get(f"/{marked}?{marked}", headers={"User-Agent": marked, "X-Request-Id": marked, "Cookie": marked})
    await watched.delete(f"/api/auth/sessions/{marked}")
    await watched.post("/api/auth/totp-verify", json={"mfa_token": marked, "code": "123456"})
    await watched.request(marked.upper(), f"/{marked}")
    page = (await watched.get("/metrics")).text

    assert marked not in page.lower()
    known = {"method", "route", "status", "reason", "event", "state", "le"}
    assert known == set(re.findall(r"(\w+)=\"", page))
    assert ANSWERS.keys() >= set(re.findall(r'umbra_refusals_total\{reason="(\w+)"', page))


@pytest.mark.race
def test_several_processes_add_up_and_one_that_is_gone_uses_nothing(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "umbra.db")
    settings = {
        "data_dir": str(tmp_path / "data"),
        "database_url": f"sqlite:///{tmp_path}/umbra.db",
        "encryption_keys": new_key().reveal(),
        "metrics": "1",
    }
    environment = environment_of(settings) | {"TMPDIR": str(tmp_path)}
    with running(1, tmp_path, environment, "--workers", "2") as (server,):
        for _ in range(40):  # each over a connection of its own, so that both processes get some
            get(server.address + "/healthz")
        samples = read(get(server.address + "/metrics").text)
        folders = list(tmp_path.glob("umbra-metrics-*"))

    labels = (("method", "GET"), ("route", "/healthz"), ("status", "200"))
    assert 40 == samples["umbra_requests_total", labels]
    assert 0 == samples["umbra_hashing_callers", (("state", "working"),)]
    assert 1 == len(folders)
    assert not folders[0].exists()


def test_what_a_dead_process_had_in_use_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from umbra.web import metrics  # noqa: PLC0415 - its private part is what this is about

    monkeypatch.setenv(metrics.DIRECTORY, str(tmp_path))
    gone = subprocess.Popen(["true"])
    gone.wait()
    files = [
        tmp_path / f"{kind}_{process}.db"
        for kind in ("gauge_livesum", "counter")
        for process in (gone.pid, os.getpid())
    ]
    for file in files:
        file.touch()
    for process in (gone.pid, os.getpid()):
        metrics._forget_unless_alive(process)

    assert [False, True, True, True] == [file.exists() for file in files]


async def test_every_metric_is_explained_with_its_labels_and_no_other(watched: httpx.AsyncClient) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    explained = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))
    shown = dict(re.findall(r"^# TYPE (\w+) (\w+)$", (await watched.get("/metrics")).text, re.MULTILINE))

    assert explained == shown
