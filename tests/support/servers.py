"""Real server processes, several on one database, the way an operator runs them behind a balancer."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

import umbra

START_SECONDS = 30
STOP_SECONDS = 10

UMBRA = (sys.executable, "-c", "from umbra.cli.main import main; main()")
"""The command ``umbra``."""

UMBRA_THAT_NAMES_ITSELF = (sys.executable, "-c", f"import umbra; print(umbra.__file__, flush=True); {UMBRA[-1]}")
"""The same, after a first line that says whose source runs."""


@dataclass(frozen=True)
class Server:
    """A running server, and what it has written."""

    address: str
    log: Path
    process: "subprocess.Popen[bytes]"


@contextlib.contextmanager
def running(count: int, folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[list[Server]]:
    """Run ``count`` servers in the same environment until the block ends; each writes a log into ``folder``."""
    servers: list[Server] = []
    try:
        servers += [_started(folder / f"server-{number}.log", environment, options) for number in range(count)]
        for number in range(count):
            if not _is_ready(servers[number]):
                _stop(servers[number])  # its port was free a moment ago, and may have been taken: one more try
                servers[number] = _started(servers[number].log, environment, options)
                if not _is_ready(servers[number]):
                    raise RuntimeError(servers[number].log.read_text(errors="replace"))
        yield servers
    finally:
        for server in servers:
            server.process.terminate()
        for server in servers:
            _stop(server)


def get(address: str) -> httpx.Response:
    """Ask a server on this machine, over a connection of its own.

    A client that might have to check a certificate would read all authorities first, which takes longer than the rest.
    """
    return httpx.get(address, trust_env=False, timeout=5, verify=False)  # noqa: S501 - plain http on loopback


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with ``settings`` as the only ones for Umbra."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("UMBRA_")}
    return inherited | {f"UMBRA_{name.upper()}": value for name, value in settings.items()}


def _started(log: Path, environment: Mapping[str, str], options: Sequence[str]) -> Server:
    port = _free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*UMBRA_THAT_NAMES_ITSELF, "serve", "--port", str(port), *options],
            stdout=output, stderr=output, env=environment, cwd=log.parent,
        )  # fmt: skip
    return Server(f"http://127.0.0.1:{port}", log, process)


def _is_ready(server: Server) -> bool:
    """Wait until the server answers or ends, and make sure that it runs the source that is under test here."""
    until = time.monotonic() + START_SECONDS
    while server.process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if get(server.address + "/readyz").status_code == httpx.codes.OK:
                source = server.log.read_text().partition("\n")[0]
                assert umbra.__file__ == source, source
                return True
        time.sleep(0.05)
    return False


def _stop(server: Server) -> None:
    server.process.terminate()
    try:
        server.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
