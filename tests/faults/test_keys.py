"""A server whose key is gone, or is another one's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from faults.cases import KEYLESS, Case
from faults.conftest import Unlucky, on_another_connection, serving
from support.people import Person
from umbra import settings, upkeep, wiring
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.errors import Misconfigured
from umbra.crypto.keyring import Keyring, new_key


@pytest.fixture
async def keyless(auth: Auth, database_url: str, clock: FixedClock, enrolled: Person) -> AsyncIterator[Unlucky]:
    """A server that was started with the right key, and has another one now."""
    async with AsyncExitStack() as stack:
        service = on_another_connection(auth, database_url, clock)
        service = replace(service, keyring=Keyring.of(new_key().reveal()))
        stack.push_async_callback(service.db.close)
        yield Unlucky(await serving(stack, service, enrolled, auth), service)


@pytest.mark.parametrize("case", KEYLESS, ids=[case.name for case in KEYLESS])
async def test_a_server_with_another_key_does_what_is_declared(case: Case, keyless: Unlucky, enrolled: Person) -> None:
    proof = await keyless.world.prepare(case.door)

    answer = await keyless.world.send(case.door, proof)

    keyless.world.person = enrolled
    assert case.declared == await keyless.world.outcome(case.door, proof, answer)


async def test_no_server_starts_with_another_key(auth: Auth, enrolled: Person) -> None:
    del enrolled
    with pytest.raises(Misconfigured, match="UMBRA_ENCRYPTION_KEYS"):
        await upkeep.check_ready(replace(auth, keyring=Keyring.of(new_key().reveal())))


def test_no_server_starts_on_postgresql_without_a_key(tmp_path: Path) -> None:
    given = settings.load(data_dir=str(tmp_path), database_url="postgresql://umbra@127.0.0.1:1/umbra")
    with pytest.raises(Misconfigured, match="UMBRA_ENCRYPTION_KEYS"):
        wiring.build(given)
