"""What a restored backup would give back, how it is noticed, and what is void after ``umbra after-restore``."""

import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Table, select, update

from support.backups import Backup, backup_of
from support.mail import PostOffice, free_port, mailing
from support.people import Person
from umbra import restore, upkeep
from umbra.audit import flows
from umbra.audit import store as audit
from umbra.auth import Auth
from umbra.backup_codes.tables import BACKUP_CODES
from umbra.challenge.tables import CHALLENGES
from umbra.core import mark as marks
from umbra.core.clock import FixedClock
from umbra.core.errors import Misconfigured
from umbra.crypto.keyring import Keyring, new_key
from umbra.db import state
from umbra.mail.tables import OUTBOX
from umbra.sessions.tables import SESSIONS
from umbra.signin import account
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS


@pytest.fixture
async def backup(auth: Auth, enrolled: Person, database_url: str) -> AsyncIterator[Backup]:
    """A backup of the moment at which Alice had enrolled, with the mark of a server that runs."""
    await keep(auth)
    async with backup_of(auth.db, database_url) as taken:
        yield taken


def mark_file(auth: Auth) -> Path:
    return auth.settings.data_dir / marks.FILE


async def keep(auth: Auth) -> None:
    """Do what a server does every two seconds."""
    await flows.seal(auth)
    await restore.keep_mark(auth)


async def count(auth: Auth, table: Table[Any]) -> int:
    async with auth.db.read() as tx:
        return len((await tx.execute(select(table.c.id))).all())


async def test_a_used_code_works_again_in_a_restored_database_and_not_when_it_was_made_safe(
    auth: Auth, enrolled: Person, backup: Backup, clock: FixedClock
) -> None:
    code = enrolled.fresh_code()
    assert 200 == (await enrolled.verify(code=code)).status_code
    assert 400 == (await enrolled.verify(code=code)).status_code

    await backup.restore()
    assert 200 == (await enrolled.verify(code=code)).status_code  # this is the danger

    await backup.restore()
    await restore.make_safe(auth)
    token = await enrolled.challenge()
    assert 400 == (await enrolled.verify(token, code=code)).status_code
    assert 400 == (await enrolled.verify(token, code=enrolled.code(1))).status_code  # it was good before, too
    clock.move(timedelta(seconds=30))
    assert 200 == (await enrolled.verify(token, code=enrolled.code(1))).status_code


async def test_a_server_does_not_start_on_a_database_that_is_older_than_its_mark(
    auth: Auth, enrolled: Person, backup: Backup
) -> None:
    await enrolled.sign_in()
    await keep(auth)
    await keep(auth)  # nothing has happened since
    await backup.restore()

    with pytest.raises(Misconfigured, match="umbra after-restore"):
        await keep(auth)
    kept = mark_file(auth).read_text()
    await enrolled.sign_in()
    await enrolled.sign_in()  # what happens now is as much, and is something else
    with pytest.raises(Misconfigured, match="umbra after-restore"):
        await keep(auth)
    assert kept == mark_file(auth).read_text()

    await restore.make_safe(auth)
    await keep(auth)


async def test_a_backup_of_this_very_moment_is_no_older_database(auth: Auth, enrolled: Person, backup: Backup) -> None:
    await backup.restore()
    await keep(auth)


async def test_another_servers_mark_is_good_again_when_the_database_was_made_safe_since(
    auth: Auth, enrolled: Person, backup: Backup, clock: FixedClock, tmp_path: Path
) -> None:
    other = replace(auth, settings=auth.settings.model_copy(update={"data_dir": tmp_path / "other"}))
    (tmp_path / "other").mkdir()
    clock.move(timedelta(seconds=1))
    await enrolled.sign_in()
    await keep(auth)
    await keep(other)
    await backup.restore()
    clock.move(timedelta(seconds=1))
    await restore.make_safe(auth)
    await keep(other)

    clock.move(timedelta(seconds=1))
    await enrolled.client.get("/")
    await keep(other)
    clock.move(timedelta(minutes=1))
    await enrolled.sign_in()
    await keep(other)
    await backup.restore()  # the same backup again: what made it safe is not in it
    with pytest.raises(Misconfigured, match="umbra after-restore"):
        await keep(other)


async def test_a_mark_that_counts_for_nothing_still_does_when_the_old_keys_are_gone(
    auth: Auth, enrolled: Person, backup: Backup, clock: FixedClock
) -> None:
    await enrolled.sign_in()
    await keep(auth)
    mark = mark_file(auth).read_text()
    await backup.restore()
    clock.move(timedelta(seconds=1))
    await restore.make_safe(auth)
    mark_file(auth).write_text(mark)  # as another server has it, which was off meanwhile

    new = new_key().reveal()
    await upkeep.rotate(replace(auth, keyring=Keyring(lambda: [new, *auth.keyring._read()])), lambda _: None)
    await keep(replace(auth, keyring=Keyring.of(new)))


async def test_another_database_beside_it_has_a_mark_of_its_own(
    auth: Auth, enrolled: Person, backup: Backup, clock: FixedClock
) -> None:
    await enrolled.sign_in()
    await keep(auth)
    ours = marks.read(auth.settings.data_dir)
    async with auth.db.begin() as tx:
        named = await state.get(tx, upkeep.NAME)
        await upkeep.give_name(auth, tx)
    await keep(auth)
    assert ours.items() < marks.read(auth.settings.data_dir).items()

    await backup.restore()  # and back to the first, as it was
    async with auth.db.begin() as tx:
        await state.put(tx, upkeep.NAME, named or "")
    with pytest.raises(Misconfigured, match="umbra after-restore"):
        await keep(auth)


@pytest.mark.parametrize(
    "name",
    [None, "another", Fernet(Fernet.generate_key()).encrypt(b"[1]").decode()],
    ids=["none", "one in clear", "one under another key"],
)
async def test_a_database_without_a_name_of_ours_is_refused_beside_a_mark_and_can_be_made_safe(
    auth: Auth, enrolled: Person, backup: Backup, name: str | None
) -> None:
    async with auth.db.begin() as tx:
        await state.take(tx, upkeep.NAME)
        if name is not None:
            await state.put(tx, upkeep.NAME, name)
    with pytest.raises(Misconfigured, match=r"umbra after-restore.*delete the file") as refusal:
        await keep(auth)
    assert str(mark_file(auth)) in str(refusal.value)
    await restore.make_safe(auth)
    await keep(auth)


async def test_a_database_without_a_name_gets_one_where_there_is_no_mark(auth: Auth, enrolled: Person) -> None:
    async with auth.db.begin() as tx:
        await state.take(tx, upkeep.NAME)
    await keep(auth)
    await keep(auth)


async def test_a_mark_that_cannot_be_read_is_refused(auth: Auth, enrolled: Person, backup: Backup) -> None:
    mark_file(auth).write_text("[]")
    with pytest.raises(Misconfigured, match="database-mark cannot be read"):
        await keep(auth)


async def test_the_mark_is_private_and_whoever_comes_second_leaves_it(auth: Auth, enrolled: Person) -> None:
    await keep(auth)
    assert 0o600 == stat.S_IMODE(mark_file(auth).stat().st_mode)
    folder = auth.settings.data_dir
    (first,) = marks.read(folder).values()
    further = replace(first, position=marks.Position(first.position.number + 1, "further"))
    marks.move(folder, first, further)
    marks.move(folder, first, replace(first, position=marks.Position(1, "back")))
    assert [further] == list(marks.read(folder).values())


async def test_a_server_keeps_its_mark_when_it_stops(auth: Auth, enrolled: Person) -> None:
    async with restore.keeping_regularly(auth):
        await enrolled.sign_in()
    async with auth.db.read() as tx:
        now_at = await audit.position(tx)
    (kept,) = marks.read(auth.settings.data_dir).values()
    assert now_at == kept.position


async def test_a_running_server_says_that_its_database_has_become_older(
    auth: Auth, enrolled: Person, backup: Backup, caplog: pytest.LogCaptureFixture
) -> None:
    await enrolled.sign_in()
    await keep(auth)
    await backup.restore()
    async with restore.keeping_regularly(auth):
        pass
    assert "umbra after-restore" in caplog.text


async def test_everything_that_is_open_is_void_and_a_line_says_how_much(
    auth: Auth, enrolled: Person, backup: Backup
) -> None:
    await enrolled.sign_in()
    await enrolled.challenge()
    assert 200 == (await enrolled.post("/totp/setup", {"name": "Tablet"})).status_code

    restored = await restore.make_safe(auth)
    assert restore.Restored(authenticators=1, setups=1, challenges=1, sessions=2, backup_codes=1, mails=0) == restored
    assert [0, 0] == [await count(auth, row) for row in (SESSIONS, CHALLENGES)]
    assert 1 == await count(auth, AUTHENTICATORS)
    assert 401 == (await enrolled.get("/session")).status_code
    newest = (await audit.newest(auth.db, 1))[0]
    assert ("database_restored", 1, 2) == (
        newest.event, (newest.detail or {})["authenticators"], (newest.detail or {})["sessions"],
    )  # fmt: skip


async def test_the_first_run_address_is_void(auth: Auth) -> None:
    token = await account.open_first_run(auth)
    assert token is not None
    await restore.make_safe(auth)
    assert not await account.may_first_run(auth, token.reveal())


async def test_no_authenticator_goes_back(auth: Auth, enrolled: Person, clock: FixedClock) -> None:
    await restore.make_safe(auth)
    async with auth.db.read() as tx:
        before = (await tx.execute(select(AUTHENTICATORS.c.last_step))).scalar_one()
    clock.move(timedelta(hours=-1))
    assert 0 == (await restore.make_safe(auth)).authenticators
    async with auth.db.read() as tx:
        assert before == (await tx.execute(select(AUTHENTICATORS.c.last_step))).scalar_one()


async def test_backup_codes_are_to_be_renewed_and_a_new_set_is_as_any(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    assert "renewal_due" not in (await enrolled.get("/totp/status")).json()["backup_codes"]
    assert 1 == (await restore.make_safe(auth)).backup_codes
    clock.move(timedelta(minutes=1))
    assert 0 == (await restore.make_safe(auth)).backup_codes  # they are told once

    clock.move(timedelta(minutes=1))
    await enrolled.sign_in()
    assert (await enrolled.get("/totp/status")).json()["backup_codes"]["renewal_due"]
    assert "came back from a backup" in (await enrolled.client.get("/security")).text
    assert 1 == len([one for one in await audit.newest(auth.db, 100) if one.event == "backup_codes_due"])
    assert 200 == (await enrolled.verify(backup_code=enrolled.backup_codes[0])).status_code

    body = {"password": enrolled.password, "code": enrolled.fresh_code()}
    assert 200 == (await enrolled.post("/totp/backup-codes/regenerate", body)).status_code
    assert "renewal_due" not in (await enrolled.get("/totp/status")).json()["backup_codes"]
    async with auth.db.read() as tx:
        due = await tx.execute(select(BACKUP_CODES.c.renewal_due_at).where(BACKUP_CODES.c.renewal_due_at.is_not(None)))
        assert [] == due.all()


async def test_owners_are_told_by_mail_and_what_waited_in_the_backup_is_not_sent_again(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    with_mail = mailing(auth, PostOffice(free_port()))
    async with auth.db.begin() as tx:
        await tx.execute(update(USERS).values(email="alice@example.com"))
    await account.end_everything(with_mail, (await account.find(auth, "alice")).user.id, account.OPERATOR)
    assert 1 == (await restore.make_safe(with_mail)).backup_codes
    clock.move(timedelta(minutes=1))
    await restore.make_safe(with_mail)
    async with auth.db.read() as tx:
        waiting = select(OUTBOX.c.kind, OUTBOX.c.recipient).where(OUTBOX.c.next_attempt_at.is_not(None))
        assert [("backup_codes_due", "alice@example.com")] == [tuple(row) for row in await tx.execute(waiting)]
