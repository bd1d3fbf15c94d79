"""Sending what is queued, beside all requests: claim a mail, hand it in, note how that went."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from functools import partial
from urllib.parse import urlsplit

from umbra.audit import store as audit
from umbra.auth import Auth
from umbra.core import smtp
from umbra.core.beside import beside
from umbra.core.errors import Misconfigured, Unavailable
from umbra.core.events import Client, Event, Happened
from umbra.core.secret import Secret
from umbra.core.smtp import SmtpServer
from umbra.crypto import envelope, tokens
from umbra.crypto.envelope import MovedSecret
from umbra.crypto.keyring import UnreadableToken
from umbra.db.transaction import DatabaseFault
from umbra.links import store as links
from umbra.links.purposes import LIFETIMES, PAGES
from umbra.mail import message, post, store
from umbra.mail.kinds import WITH_CODE, Kind, code_place, link_in
from umbra.mail.post import NotTaken
from umbra.mail.store import Backlog, Mail, Queued

log = logging.getLogger("umbra.mail")

SEND_EVERY = timedelta(seconds=10)
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)
"""RFC 5321, 4.5.4.1: at least four or five days for whoever carries mail; ours is stale news by then."""

CODES_LIVE = timedelta(minutes=10)
"""A mail with a code that is over helps nobody."""

NOBODY = Client(user_agent="umbra mail")


@dataclass(frozen=True, slots=True)
class Due:
    """What became of the mail that was due."""

    sent: int = 0
    failed: int = 0


@asynccontextmanager
async def sending_regularly(auth: Auth) -> AsyncIterator[None]:
    """Send what is queued for as long as the block lasts; end with a mail, not in one."""
    async with beside(partial(_send_regularly, auth), "no more mail is sent"):
        yield


async def send_due(auth: Auth, stopping: asyncio.Event | None = None) -> Due:
    """Send what is due, one mail after the other, until nothing is, or the mail server takes none at all."""
    sent = failed = 0
    while not (stopping and stopping.is_set()) and (mail := await _claimed(auth)) is not None:
        failure = await _failure(auth, mail)
        await _settle(auth, mail, failure)
        sent, failed = sent + (failure is None), failed + (failure is not None)
        if failure is not None and failure.is_about_server:
            break
    return Due(sent, failed)


async def send_test(auth: Auth, address: str) -> None:
    """Send a mail that says that mail can be sent, at once.

    Raises:
        Misconfigured: There is no mail server, or it does not take the mail; the text says why.
    """
    if not auth.settings.sends_mail:
        raise Misconfigured("there is no mail server; give UMBRA_SMTP_URL and UMBRA_MAIL_FROM")
    message_id = auth.entropy.token_bytes(16).hex()
    failure = await _failure(auth, Mail(Kind.TEST, address, "-", message_id, auth.clock.now()))
    if failure is not None:
        raise Misconfigured(f"the mail was not taken ({failure.error}); look at UMBRA_SMTP_URL and UMBRA_MAIL_FROM")


async def unreachable(auth: Auth) -> str | None:
    """Return why the mail server cannot be used, or ``None`` when it can."""
    try:
        await asyncio.to_thread(post.knock, _server(auth), _own_name(auth))
    except NotTaken as failure:
        return failure.error
    return None


async def queue(auth: Auth, limit: int) -> list[Queued]:
    """Return the newest mails of the queue, for the operator."""
    async with auth.db.read() as tx:
        return await store.newest(tx, limit)


async def backlog(auth: Auth) -> Backlog:
    """Return what has not been sent, for the operator."""
    async with auth.db.read() as tx:
        return await store.backlog(tx)


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 16)), LONGEST_WAIT)  # the longest is reached at the ninth


async def _send_regularly(auth: Auth, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            await send_due(auth, stopping)
        except (Unavailable, DatabaseFault) as error:
            log.warning("mail put off: %s", type(error).__name__)
        try:
            await asyncio.wait_for(stopping.wait(), SEND_EVERY.total_seconds())
        except TimeoutError:
            continue


async def _claimed(auth: Auth) -> Mail | None:
    now = auth.clock.now()
    async with auth.db.read() as tx:
        if not await store.is_due(tx, now):
            return None
    async with auth.db.single() as tx:
        return await store.claim(tx, now)


async def _failure(auth: Auth, mail: Mail) -> NotTaken | None:
    """Hand a mail in, and return why it was not taken, or ``None`` when it was."""
    if mail.kind not in set(Kind):
        return NotTaken("UnknownKind")  # a newer server has queued it, and can send it
    try:
        recipient = message.deliverable(mail.recipient)
        composed = _composed(auth, mail, await _link(auth, mail), _code(auth, mail))
        sender = message.sender_of(auth.settings)
        envelope = partial(post.hand_in, sender=f"{sender.local}@{sender.domain}", recipient=recipient)
        await asyncio.to_thread(envelope, _server(auth), _own_name(auth), composed)
    except NotTaken as failure:
        return failure
    except UnicodeError:
        return NotTaken("NoAddress", is_final=True)
    except (UnreadableToken, MovedSecret) as error:
        return NotTaken(type(error).__name__)
    return None


def _composed(auth: Auth, mail: Mail, link: Secret[str] | None, code: Secret[str] | None) -> EmailMessage:
    """Return a mail as it is handed in.

    Raises:
        NotTaken: None can be made of it, for whatever reason: what is in an account is its own fault, and keeps
            nobody else's mail waiting.
    """
    try:
        return message.compose(auth.settings, mail, link=link, code=code)
    except Exception as fault:  # noqa: BLE001 - Python's own parser of addresses raises what it documents nowhere
        raise NotTaken(type(fault).__name__) from None


def _code(auth: Auth, mail: Mail) -> Secret[str] | None:
    """Return the code that a mail is about, which no table holds in clear.

    Raises:
        UnreadableToken: No key opens it.
        MovedSecret: It is another account's.
    """
    sealed: str | None = mail.detail.get("code")
    if sealed is None:
        return None
    return Secret(envelope.unseal(auth.keyring, sealed, code_place(mail.user_id)).reveal().decode())


async def _link(auth: Auth, mail: Mail) -> Secret[str] | None:
    """Make the link that a mail of its kind holds, at every attempt anew: what waits in the queue opens nothing.

    An attempt that seemed to fail may have succeeded, so the links of earlier ones stay good.

    Raises:
        NotTaken: It would be out of date already.
    """
    purpose = link_in(mail.kind)
    if purpose is None or mail.user_id is None:
        return None
    if auth.clock.now() >= mail.created_at + LIFETIMES[purpose]:
        raise NotTaken("LinkExpired", is_final=True)
    token = tokens.LINK.new(auth.entropy)
    async with auth.db.single() as tx:
        token_hash = tokens.LINK.hash_of_new(token)
        await links.put(tx, mail.user_id, purpose, token_hash, mail.recipient, mail.created_at)
    return Secret(f"{auth.settings.public_url}{PAGES[purpose]}?token={token.reveal()}")


async def _settle(auth: Auth, mail: Mail, failure: NotTaken | None) -> None:
    now = auth.clock.now()
    if failure is None:
        async with auth.db.single() as tx:
            await store.settle_sent(tx, mail, now)
        return
    log.warning("mail %d (%s) not sent: %s", mail.id, mail.kind, failure.error)
    next_attempt_at = _next_attempt(mail, failure, now)
    async with auth.db.begin() as tx:
        is_ours = await store.settle_failed(tx, mail, failure.error, next_attempt_at)
        if is_ours and next_attempt_at is None:
            detail = {"kind": mail.kind, "error": failure.error}
            await audit.keep(tx, Happened(Event.MAIL_GIVEN_UP, NOBODY, mail.user_id, detail={**detail}), now)


def _next_attempt(mail: Mail, failure: NotTaken, now: datetime) -> datetime | None:
    """Return when to try again, or ``None`` where that is of no use."""
    is_stale = now - mail.created_at >= (CODES_LIVE if mail.kind in WITH_CODE else GIVE_UP_AFTER)
    return None if failure.is_final or is_stale else now + wait_after(mail.attempts)


def _server(auth: Auth) -> SmtpServer:
    assert auth.settings.smtp_url is not None  # noqa: S101 - a narrowing: nobody gets here without one
    return smtp.parse_server(auth.settings.smtp_url.get_secret_value())


def _own_name(auth: Auth) -> str:
    return post.own_name(urlsplit(auth.settings.public_url).hostname or "localhost")
