# ruff: noqa: N802 - aiosmtpd looks for methods of these names
"""A mail server in the test's own process, which takes mail over SMTP and keeps it."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import select

from umbra.auth import Auth
from umbra.crypto import envelope
from umbra.mail.kinds import WITH_CODE, code_place
from umbra.mail.tables import OUTBOX
from umbra.settings import checked
from umbra.signin import notices

FROM = "Umbra <umbra@login.example>"
USER = "umbra"
PASSWORD = "the password of the mail server"

START_SECONDS = 10


@dataclass
class Delivery:
    """One mail as it came over the wire."""

    sender: str
    recipients: list[str]
    content: bytes
    is_encrypted: bool

    @property
    def message(self) -> EmailMessage:
        """The mail as a program shows it."""
        parsed = message_from_bytes(self.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def text(self) -> str:
        """Return the plain text, with its lines joined as a reader joins them."""
        part = self.message.get_body(("plain",))
        assert part is not None
        return " ".join(part.get_content().split())

    def html(self) -> str:
        part = self.message.get_body(("html",))
        assert part is not None
        markup: str = part.get_content()
        return markup


@dataclass
class PostOffice:
    """Takes mail at ``port``; ``answers`` is what it says to a command instead of yes."""

    port: int
    deliveries: list[Delivery] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    greetings: list[str] = field(default_factory=list)
    wants_login: bool = False

    def __post_init__(self) -> None:
        self.url = f"smtp://127.0.0.1:{self.port}"

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.greetings.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        if self.wants_login and not session.authenticated:
            return "530 5.7.0 who are you"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.answers:
            return self.answers["DATA"]
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        is_encrypted = session.ssl is not None
        self.deliveries.append(Delivery(envelope.mail_from, envelope.rcpt_tos, envelope.content, is_encrypted))
        return "250 OK"

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        return self.answers.get("QUIT", "221 Bye")

    def recipients(self) -> list[str]:
        return [recipient for one in self.deliveries for recipient in one.recipients]

    def subjects(self) -> list[str]:
        return [str(one.message["Subject"]) for one in self.deliveries]

    @contextlib.contextmanager
    def is_open(self, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None) -> Iterator[None]:
        """Take mail until the block ends, in a thread with a loop of its own."""
        loop = asyncio.new_event_loop()

        def protocol() -> SMTP:
            return SMTP(
                self,
                loop=loop,
                enable_SMTPUTF8=False,
                tls_context=starttls,
                authenticator=_authenticated,
                auth_require_tls=False,
            )

        thread = threading.Thread(target=loop.run_forever, name="post office")
        thread.start()
        opening = loop.create_server(protocol, "127.0.0.1", self.port, ssl=tls)
        try:
            server = asyncio.run_coroutine_threadsafe(opening, loop).result(START_SECONDS)
            yield
            asyncio.run_coroutine_threadsafe(_closed(server), loop).result(START_SECONDS)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(START_SECONDS)
            loop.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _authenticated(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


async def _closed(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def mailed_code(auth: Auth) -> str:
    """Return the code in the newest mail that has one, as whoever gets the mail reads it."""
    async with auth.db.read() as tx:
        row = select(OUTBOX.c.user_id, OUTBOX.c.detail).where(OUTBOX.c.kind.in_(WITH_CODE))
        newest = (await tx.execute(row.order_by(OUTBOX.c.id.desc()).limit(1))).one()
    return envelope.unseal(auth.keyring, newest.detail["code"], code_place(newest.user_id)).reveal().decode()


def mailing(auth: Auth, office: PostOffice, **more: str) -> Auth:
    """Return an installation that sends its mail to ``office``."""
    given = auth.settings.model_dump() | {"smtp_url": office.url, "mail_from": FROM} | more
    return replace(auth, settings=checked(given), sink=notices.sink(auth.db, auth.clock, auth.entropy))
