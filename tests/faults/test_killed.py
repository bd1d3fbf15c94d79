"""A server process that is killed at a moment of a sign-in, and another one that is asked afterwards."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import umbra
from faults import trap
from faults.cases import CHARGING, KILLED, NO_ANSWER, Case
from faults.moments import Moment, Watch
from faults.wire import Wire
from faults.world import World
from support import servers
from support.mail import free_port
from support.people import API, Person
from umbra import upkeep
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.crypto.keyring import Keyring, new_key
from umbra.db import state

pytestmark = pytest.mark.race

KEY = new_key().reveal()
TRAPPED = (sys.executable, "-m", "faults.trap")
TESTS = Path(__file__).parents[1]


@pytest.fixture
async def auth(auth: Auth) -> Auth:
    """This process, with a key that it can tell the other one."""
    async with auth.db.begin() as tx:
        await state.take(tx, upkeep.CANARY)
    known = replace(auth, keyring=Keyring.of(KEY))
    await upkeep.check_ready(known)
    return known


@pytest.fixture
def now(clock: FixedClock, enrolled: Person) -> FixedClock:
    """The clock, which shows what a server process's does; everything so far was long ago."""
    del enrolled
    clock.set(datetime.now(UTC))
    return clock


@dataclass
class Doomed:
    """A server process."""

    address: str
    process: "subprocess.Popen[bytes]"

    async def asked(self, path: str, body: Mapping[str, str]) -> bool:
        """Send a request, and say whether there was an answer."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            with contextlib.suppress(httpx.TransportError):
                await client.post(self.address + API + path, json=body)
                return True
        return False


@contextlib.contextmanager
def serving(command: tuple[str, ...], folder: Path, given: Mapping[str, str]) -> Iterator[Doomed]:
    """Run a server until it dies, or the block ends."""
    port = free_port()
    with (folder / "doomed.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "serve", "--port", str(port)], stdout=log, stderr=log, env=dict(given), cwd=folder
        )
    try:
        yield Doomed(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


async def until_ready(doomed: Doomed) -> None:
    """Wait for the process to answer."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client, asyncio.timeout(servers.START_SECONDS):
        while doomed.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                assert (await client.get(doomed.address + "/readyz")).is_success
                return
            await asyncio.sleep(0.05)
    raise RuntimeError("it has ended")


def environment_of(folder: Path, url: str) -> dict[str, str]:
    """Return the settings of the process that will die; it runs the source that runs here, and finds the trap."""
    folder.mkdir(mode=0o700)
    environment = servers.environment_of({"data_dir": str(folder), "database_url": url, "encryption_keys": KEY})
    return environment | {"PYTHONPATH": f"{Path(umbra.__file__).parents[1]}:{TESTS}"}


@contextlib.asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """Open a wire to PostgreSQL, and say where it begins."""
    there = urlsplit(url)
    wire = Wire(there.hostname or "", there.port or 0)
    async with wire.is_open():
        yield wire, f"postgresql://umbra@127.0.0.1:{wire.port}{there.path}"


async def die_on_sqlite(case: Case, url: str, folder: Path, body: Mapping[str, str]) -> None:
    with serving(TRAPPED, folder, environment_of(folder, url) | trap.told(case.moment)) as doomed:
        await until_ready(doomed)
        assert not await doomed.asked("/totp-verify", body)
        assert -signal.SIGKILL == doomed.process.wait(10)


def on_postgresql(moment: Moment) -> Moment:
    """Return the same moment there, where a charge is a statement that commits by itself."""
    return Moment((CHARGING,), is_done=True) if moment == Moment((CHARGING, "COMMIT"), is_done=True) else moment


async def die_on_postgresql(case: Case, url: str, folder: Path, body: Mapping[str, str]) -> None:
    async with wire_to(url) as (wire, near):
        with serving(servers.UMBRA, folder, environment_of(folder, near)) as doomed:

            async def kill() -> None:
                doomed.process.kill()
                wire.go_down()

            await until_ready(doomed)
            wire.watch, wire.act = Watch(on_postgresql(case.moment)), kill
            assert not await doomed.asked("/totp-verify", body)
            assert -signal.SIGKILL == doomed.process.wait(10)


@pytest.mark.parametrize("case", KILLED, ids=[case.name for case in KILLED])
async def test_a_process_that_is_killed_does_what_is_declared(
    case: Case, auth: Auth, database_url: str, enrolled: Person, now: FixedClock, tmp_path: Path
) -> None:
    del now
    world = World(enrolled, auth)
    proof = await world.prepare(case.door)
    body = {"mfa_token": proof.mfa_token, "code": proof.code, "delivery": "token"}

    die = die_on_sqlite if auth.db.is_sqlite else die_on_postgresql
    await die(case, database_url, tmp_path / "doomed", body)

    assert case.declared == replace(await world.outcome(case.door, proof, httpx.Response(500)), answer=NO_ANSWER)
