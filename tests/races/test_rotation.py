"""Keys are rotated while both servers go on signing people in (contract 3)."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from races.service import Owner, Pair, Service, outcome, pair_of, service_of
from support import servers
from umbra.crypto.keyring import new_key, read_key_file, write_key_file
from umbra.totp import store as totp
from umbra.totp.tables import AUTHENTICATORS, USED_CODES

pytestmark = pytest.mark.race


@pytest.fixture
def pair(database_url: str, tmp_path: Path) -> Iterator[Pair]:
    """Two servers of this test's own, with their keys in a file."""
    keys = tmp_path / "keys"
    write_key_file(keys, [new_key().reveal()])
    with pair_of(tmp_path, database_url=database_url, encryption_keys_file=str(keys)) as made:
        yield made


async def test_sign_ins_go_on_while_keys_are_rotated_and_the_old_key_taken_away(pair: Pair) -> None:
    keys = pair.settings.encryption_keys_file
    assert keys is not None
    async with service_of(pair) as service:
        owner = await service.owner(apps=2)
        old, new = read_key_file(keys)[0], new_key().reveal()
        await _sign_in_everywhere(service, owner)

        write_key_file(keys, [new, old])
        await _sign_in_everywhere(service, owner)
        rotating = asyncio.create_task(_umbra(pair, "keys", "rotate"))
        while not rotating.done():
            await _sign_in_everywhere(service, owner)
        await rotating
        assert [2, 0] == [key["rows"] for key in json.loads(await _umbra(pair, "keys", "status", "--json"))["keys"]]

        write_key_file(keys, [new])
        await _sign_in_everywhere(service, owner)


async def _sign_in_everywhere(service: Service, owner: Owner) -> None:
    """Sign in on both servers with every app, as if there had been time for fresh codes in between."""
    for app in range(len(owner.secrets)):
        for mfa_token in await service.challenges(owner, 2):
            await _forget_what_was_used(service, owner)
            assert "accepted" == outcome(await service.verify(mfa_token, code=owner.code(1, app=app)))


async def _forget_what_was_used(service: Service, owner: Owner) -> None:
    async with service.auth.db.begin() as tx:
        await totp.hold_all(tx, owner.user.id)  # in the rows' order, as the rotation takes them: never two crosswise
        await tx.execute(update(AUTHENTICATORS).where(AUTHENTICATORS.c.user_id == owner.user.id).values(last_step=None))
        await tx.execute(delete(USED_CODES).where(USED_CODES.c.user_id == owner.user.id))


async def _umbra(pair: Pair, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *servers.UMBRA, *words, env=pair.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert 0 == process.returncode, errors.decode()
    return output.decode()
