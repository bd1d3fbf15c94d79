"""Handing a mail in, over SMTP. It blocks; whoever serves requests does it in a thread."""

import ipaddress
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage

from umbra.core.smtp import SmtpServer

TIMEOUT_SECONDS = 10
"""For each answer of the mail server; a mail takes a dozen."""

PERMANENT = 500
"""The first of the replies that say: not now, and not later either (RFC 5321, 4.2.1)."""


class NotTaken(Exception):
    """The mail server did not take a mail.

    ``error`` is the kind of failure and the number of the reply, whose text may repeat what was sent. ``is_final``
    says that this mail was refused for good, ``is_about_server`` that it would have befallen any other.
    """

    def __init__(self, error: str, *, is_final: bool = False, is_about_server: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.is_final = is_final
        self.is_about_server = is_about_server


def hand_in(server: SmtpServer, own_name: str, message: EmailMessage, sender: str, recipient: str) -> None:
    """Give one mail to the mail server; when this returns, it has it.

    Raises:
        NotTaken: It has not, or the connection broke before it said so.
    """
    try:
        with _connected(server, own_name) as connection:
            connection.send_message(message, sender, [recipient])
    except smtplib.SMTPRecipientsRefused as refused:
        ((code, _),) = refused.recipients.values()
        raise _refusal(refused, code) from None
    except smtplib.SMTPDataError as refused:
        raise _refusal(refused, refused.smtp_code) from None
    except (OSError, UnicodeError) as error:
        raise NotTaken(_name_of(error), is_about_server=isinstance(error, OSError)) from None


def knock(server: SmtpServer, own_name: str) -> None:
    """Do everything that comes before a mail.

    Raises:
        NotTaken: It cannot be done.
    """
    try:
        with _connected(server, own_name) as connection:
            connection.noop()
    except OSError as error:
        raise NotTaken(_name_of(error), is_about_server=True) from None


def own_name(host: str) -> str:
    """Return what we call ourselves: the name that people reach us by, or an address as RFC 5321, 4.1.3, writes it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[{'IPv6:' if address.version == 6 else ''}{address}]"  # noqa: PLR2004 - the version of the protocol


@contextmanager
def _connected(server: SmtpServer, own_name: str) -> Iterator[smtplib.SMTP]:
    """Connect and log in. Certificates are checked: the library's own way would take any."""
    connection = _opened(server, own_name)
    try:
        if server.security == "starttls":
            connection.starttls(context=ssl.create_default_context())
        if server.login is not None:
            connection.login(server.login.username, server.login.password.reveal())
        yield connection
    finally:
        with suppress(OSError):
            connection.quit()  # the mail has been taken or not by now, whatever is answered here
        connection.close()


def _opened(server: SmtpServer, own_name: str) -> smtplib.SMTP:
    where = (server.host, server.port, own_name)
    if server.security == "tls":
        return smtplib.SMTP_SSL(*where, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(*where, timeout=TIMEOUT_SECONDS)


def _refusal(refused: Exception, code: int) -> NotTaken:
    return NotTaken(f"{type(refused).__name__} {code}", is_final=code >= PERMANENT)


def _name_of(error: Exception) -> str:
    code = getattr(error, "smtp_code", "")
    return f"{type(error).__name__} {code}".strip()
