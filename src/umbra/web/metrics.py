"""What Prometheus is told. Loaded only where ``UMBRA_METRICS`` asks for it; every label is of a list that we know.

Several server processes (``umbra serve --workers``) keep their counts in files of one directory, and whichever is asked
adds them up: that is the library's own way, and it takes the directory from the environment when it is imported.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from umbra.audit.store import DONE
from umbra.auth import Auth
from umbra.core.errors import Unavailable
from umbra.core.events import Happened, Sink
from umbra.core.request import Seen
from umbra.db.transaction import DatabaseFault
from umbra.mail import flows as mail
from umbra.mail.store import Backlog
from umbra.upkeep import Cleaned
from umbra.web import caller
from umbra.web.middleware import Guard
from umbra.web.watched import ROUTE

PATH = "/metrics"
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The library's name for where several processes keep their counts."""

FORWARDING = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)
"""Headers that a proxy adds: whoever comes with one has come from outside."""

METHODS = frozenset({"password", "totp", "backup_code"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LOOKS_EVERY_SECONDS = 5
"""How often the pools are looked at: more often than anybody scrapes."""


class Metrics:
    """The counts of this process, and the page that shows those of all."""

    def __init__(self, auth: Auth) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._auth = auth
        self._registry = here = CollectorRegistry()
        self._requests = Counter(
            "umbra_requests", "Requests that were answered.", ["method", "route", "status"], registry=here
        )
        self._seconds = Histogram(
            "umbra_request_seconds", "How long they took.", ["method", "route"], buckets=SECONDS, registry=here
        )
        self._refusals = Counter("umbra_refusals", "Requests that were refused.", ["reason"], registry=here)
        self._events = Counter("umbra_events", "Audit events.", ["event", "reason", "method"], registry=here)
        self._cleaned_rows = Counter("umbra_cleanup_rows", "Rows that clean-up deleted.", ["kind"], registry=here)
        self._cleaned_at = Gauge(
            "umbra_cleanup_timestamp_seconds",
            "When a server last cleaned up, or started.",
            multiprocess_mode="max",
            registry=here,
        )
        self._hashing = Gauge(
            "umbra_hashing_callers", "Callers of the hashing pool.", ["state"],
            multiprocess_mode="livesum", registry=here,
        )  # fmt: skip
        self._database = Gauge(
            "umbra_database_callers", "Callers of the pool of connections to PostgreSQL.", ["state"],
            multiprocess_mode="livesum", registry=here,
        )  # fmt: skip
        self._cleaned_at.set(auth.clock.now().timestamp())

    def ended(self, seen: Seen) -> None:
        """Count a request."""
        self._requests.labels(seen.method, seen.route, seen.status or "none").inc()
        self._seconds.labels(seen.method, seen.route).observe(seen.seconds)
        if seen.reason is not None:
            self._refusals.labels(seen.reason).inc()

    def counting(self, sink: Sink) -> "Counted":
        """Return a sink that counts what goes into ``sink``."""
        return Counted(sink, self._events)

    def cleaned(self, cleaned: Cleaned) -> None:
        """Count what a clean-up has deleted."""
        self._cleaned_at.set(self._auth.clock.now().timestamp())
        for kind, rows in asdict(cleaned).items():
            self._cleaned_rows.labels(kind).inc(rows)

    @asynccontextmanager
    async def looking_regularly(self) -> AsyncIterator[None]:
        """Look at the pools for as long as the block lasts."""
        looking = asyncio.create_task(self._look_regularly())
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def page(self) -> Response:
        """Return everything as Prometheus reads it."""
        self._look()
        shown = CollectorRegistry()
        shown.register(self._counts())
        shown.register(Facts(await _backlog(self._auth), self._auth.clock.now()))
        text = generate_latest(shown)
        return Response(text, headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def in_front_of(self, app: ASGIApp, guard: Guard) -> ASGIApp:
        """Return ``app`` with the page, for whoever may see it; others find what ``app`` has there: nothing."""

        async def fronted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] != PATH or not _may_scrape(scope, self._auth):
                await app(scope, receive, send)
                return
            scope[ROUTE] = PATH
            answer = await guard.answer(self.page())
            if answer is not None:
                await answer(scope, receive, send)

        return fronted

    def _counts(self) -> Collector:
        """Return the counts of all processes of this server."""
        if DIRECTORY not in os.environ:
            return self._registry
        for file in Path(os.environ[DIRECTORY]).glob("gauge_live*_*.db"):
            _forget_unless_alive(int(file.stem.rpartition("_")[2]))
        return MultiProcessCollector(None)  # type: ignore[no-untyped-call]

    def _look(self) -> None:
        for gauge, load in ((self._hashing, self._auth.hashing.load()), (self._database, self._auth.db.load())):
            if load is not None:
                gauge.labels("working").set(load.working)
                gauge.labels("waiting").set(load.waiting)

    async def _look_regularly(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(LOOKS_EVERY_SECONDS)


class Counted:
    """A sink that counts events on their way into another one."""

    def __init__(self, sink: Sink, events: Counter) -> None:
        self._sink = sink
        self._events = events

    async def record(self, happened: Happened) -> None:
        """Count the event, and have it kept."""
        self._count(happened)
        await self._sink.record(happened)

    async def was_kept(self, happened: Happened) -> None:
        """Count the event, and pass it on."""
        self._count(happened)
        await self._sink.was_kept(happened)

    def _count(self, happened: Happened) -> None:
        method = (happened.detail or {}).get("method")
        self._events.labels(happened.event.value, happened.reason or DONE, method if method in METHODS else "").inc()


class Facts(Collector):
    """What the database knows, whichever process is asked."""

    def __init__(self, backlog: Backlog | None, now: datetime) -> None:
        self._backlog = backlog
        self._now = now

    def collect(self) -> Iterable[Metric]:
        """Return the mail that waits, and whether the database could be asked for it."""
        yield _gauge("umbra_database_up", "Whether the database answers.", self._backlog is not None)
        if self._backlog is None:
            return
        oldest = self._backlog.oldest
        waits = 0.0 if oldest is None else (self._now - oldest).total_seconds()
        yield _gauge("umbra_mail_waiting", "Mails that wait to be sent.", self._backlog.waiting)
        yield _gauge("umbra_mail_waiting_seconds", "How long the oldest of them has waited.", waits)
        yield _gauge("umbra_mail_given_up", "Mails of the last week that are not tried again.", self._backlog.given_up)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


async def _backlog(auth: Auth) -> Backlog | None:
    try:
        return await mail.backlog(auth)
    except (Unavailable, DatabaseFault):
        return None


def _may_scrape(scope: Scope, auth: Auth) -> bool:
    """Say whether somebody reads who sits beside the server: not through a proxy, and not from a public address."""
    request = HTTPConnection(scope)
    peer = caller.peer_of(request)
    if scope["method"] not in {"GET", "HEAD"} or peer is None or peer.is_global or caller.is_from_proxy(request, auth):
        return False
    return not any(name in FORWARDING for name, _ in scope["headers"])


def _forget_unless_alive(process: int) -> None:
    """Drop what a process that is gone had in use; what it has counted stays."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        mark_process_dead(process)  # type: ignore[no-untyped-call]
    except PermissionError:
        return
