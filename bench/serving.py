"""Servers to measure: started here, on loopback, and stopped by their process, whatever happens."""

import asyncio
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench import machine
from support import postgres
from support.servers import UMBRA

ROOT = Path(__file__).parent.parent
START_SECONDS = 30
STOP_SECONDS = 15

_UVICORN = (
    "--host", "127.0.0.1", "--no-access-log", "--no-server-header", "--no-proxy-headers", "--lifespan", "on",
    "--log-level", "warning",
)  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A running server."""

    address: str
    pid: int

    @property
    def calls(self) -> str:
        """The address below which the calls are."""
        return f"{self.address}/api/auth"

    def call(self, what: str) -> str:
        """Return the address of a call."""
        return f"{self.calls}/{what}"


@contextlib.contextmanager
def umbra(
    environment: Mapping[str, str], folder: Path, *, core: int | None = None, workers: int = 1
) -> Iterator[Served]:
    """Run ``umbra serve``, on one core or on all."""
    port = free_port()
    command = [*UMBRA, "serve", "--port", str(port), "--workers", str(workers)]
    with _running(command, port, environment, folder, core) as served:
        await_ready(port)
        if workers > 1:
            time.sleep(2)  # one of them is ready; the others began at the same moment
        yield served


@contextlib.contextmanager
def asgi(module: str, environment: Mapping[str, str], folder: Path, *, core: int | None = None) -> Iterator[Served]:
    """Run an ASGI application of the bench the way Umbra runs its own."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"{module}:app", *_UVICORN, "--port", str(port)]
    with _running(command, port, environment, folder, core) as served:
        yield served


@contextlib.contextmanager
def postgres_server(*, core: int | None = None, **settings: str) -> Iterator[str]:
    """Run PostgreSQL with a disk that is waited for, and yield its address without a database's name."""
    with postgres.running(postgres.DURABLE | settings) as address:
        if core is not None:
            machine.pin(postmaster(address), core)
        yield address


def postgres_version(address: str) -> str:
    """Return the server's version."""
    return _asked(address, "SHOW server_version").partition(" ")[0]


def await_ready(port: int) -> None:
    """Wait until a server says that it is ready."""
    until = time.monotonic() + START_SECONDS
    while not is_ready(port):
        if time.monotonic() > until:
            raise RuntimeError("the server did not become ready")
        time.sleep(0.005)


def is_ready(port: int) -> bool:
    """Say whether a server on this port says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def await_idle(served: Served) -> None:
    """Wait until nobody is queued for a hash: whoever sent the last round's passwords is gone, the work is not.

    The queue is served in its order, so the answer to one more wrong password comes after everybody else's.
    """
    connection = http.client.HTTPConnection(served.address.removeprefix("http://"), timeout=60)
    try:
        status = http.HTTPStatus.SERVICE_UNAVAILABLE
        while status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            time.sleep(0.05)
            body = json.dumps({"username": f"nobody-{time.monotonic_ns()}", "password": "a wrong password"})
            connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            status = http.HTTPStatus(answer.status)
    finally:
        connection.close()


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process, with patience at first."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _running(
    command: Sequence[str], port: int, environment: Mapping[str, str], folder: Path, core: int | None
) -> Iterator[Served]:
    log = folder / f"server-{port}.log"
    where = ["taskset", "-c", str(core)] if core is not None else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*where, *command], env=with_paths(environment), cwd=ROOT, stdout=output, stderr=output
        )
    try:
        _await_open(process, port, log)
        yield Served(f"http://127.0.0.1:{port}", process.pid)
    finally:
        stop(process)


def with_paths(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}


def _await_open(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise RuntimeError(log.read_text(errors="replace"))


def postmaster(address: str) -> int:
    """Return the process whose children serve the connections."""
    folder = Path(_asked(address, "SHOW data_directory"))
    return int((folder / "postmaster.pid").read_text().split()[0])


def _asked(address: str, question: str) -> str:

    async def ask() -> str:
        connection = await asyncpg.connect(f"{address}/postgres")
        try:
            answer: str = await connection.fetchval(question)
            return answer
        finally:
            await connection.close()

    return asyncio.run(ask())
