"""Writing down what happened, and telling the account's owner by mail, in one and the same transaction."""

from dataclasses import field
from datetime import datetime
from functools import partial
from typing import Any

from umbra.audit.store import DatabaseSink
from umbra.auth import Auth
from umbra.browsers import store as browsers
from umbra.core.clock import Clock
from umbra.core.entropy import Entropy
from umbra.core.events import Client, Happened, Note
from umbra.core.ids import UserId
from umbra.core.record import record
from umbra.core.secret import Secret
from umbra.crypto import envelope, tokens
from umbra.db.database import Database
from umbra.db.transaction import Transaction
from umbra.mail import store as mail
from umbra.mail.kinds import Kind, code_place, kind_of
from umbra.signin import store


@record
class Meeting:
    """A sign-in from a browser: what makes it known, and tells of it if it was not.

    ``token`` is what the browser is to be recognised by, where it has shown nothing. The owner ``is_told`` of a new
    one only where there is mail.
    """

    values: dict[str, Any] = field(repr=False)
    token: Secret[str] | None
    is_told: bool


def is_on(auth: Auth) -> bool:
    """Say whether owners are told by mail: where there is a mail server, and never in a host's database."""
    return auth.settings.sends_mail and auth.db.shape.owns_accounts


def sink(db: Database, clock: Clock, entropy: Entropy) -> DatabaseSink:
    """Return a sink that queues the mail about an event in the statement that keeps it."""
    return DatabaseSink(db, clock, partial(_keep, entropy))


def about(auth: Auth, happened: Happened, now: datetime) -> dict[str, Any] | None:
    """Return the values that queue the mail about an event, or ``None`` where nobody is told."""
    return _about(auth.entropy, happened, now) if is_on(auth) else None


async def keep(auth: Auth, tx: Transaction, note: Note, now: datetime) -> None:
    """Write down that it is done, and queue the mail about it, in the transaction that does it."""
    happened = note.happened()
    await store.keep(tx, happened, now, mail=about(auth, happened, now))
    note.is_kept = True


def meeting(auth: Auth, client: Client, now: datetime, *, second_factor: bool) -> Meeting | None:
    """Return what a whole sign-in does about its browser, or ``None`` where there is nothing to be known by it.

    A browser that has proved a second factor gets budgets of its own, and is known for that; without it, or where a
    program keeps the token, only the mail about new ones is a reason to know anybody.
    """
    is_told, is_proved = is_on(auth), second_factor and client.program is None
    if not is_told and not is_proved:
        return None
    token, known_by = None, client.program or client.browser
    if known_by is None:
        token = tokens.BROWSER.new(auth.entropy)
        known_by = tokens.BROWSER.hash_of_new(token)
    told = mail.queueing(Kind.NEW_BROWSER, client, now, auth.entropy) if is_told else {}
    return Meeting(told | browsers.meeting(known_by, now, is_proved=is_proved), token, is_told)


async def mail_code(
    auth: Auth,
    tx: Transaction,
    user_id: UserId,
    code: Secret[str],
    *,
    to: str,
    kind: Kind,
    client: Client,
    now: datetime,
) -> bool:
    """Queue the mail with a code, and say whether there may be one more; the caller holds the account."""
    sealed = envelope.seal(auth.keyring, Secret(code.reveal().encode()), code_place(user_id))
    return await mail.queue_code(tx, user_id, to, sealed, mail.queueing(kind, client, now, auth.entropy))


async def _keep(entropy: Entropy, tx: Transaction, happened: Happened, now: datetime) -> None:
    await store.keep(tx, happened, now, mail=_about(entropy, happened, now))


def _about(entropy: Entropy, happened: Happened, now: datetime) -> dict[str, Any] | None:
    """Return the values that queue the mail about an event; where an operator sat is nobody else's business."""
    kind = kind_of(happened)
    if kind is None or happened.user_id is None:
        return None
    detail = happened.detail or {}
    client = Client(language=happened.client.language) if "by" in detail else happened.client
    told = mail.queueing(kind, client, now, entropy, method=detail.get("method"))
    return told | {"browser_hash": client.browser or ""}
