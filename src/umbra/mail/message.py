"""From what happened to a mail: plain text, and the same as HTML.

The words are in the templates, a file for each kind: the subject, then paragraphs, with ``[facts]`` where account,
time and place are listed, and ``[link]`` where the one address stands that a mail of that kind holds. They are in the
catalogue, as those of the pages are. Nothing that somebody else typed gets into them but the account's name and the
mail's address, and none of it into the subject.
"""

import textwrap
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from jinja2 import Environment, PackageLoader, StrictUndefined

from umbra import words
from umbra.core import typed
from umbra.core.secret import Secret
from umbra.core.smtp import Sender, parse_sender
from umbra.mail import agents
from umbra.mail.store import Mail
from umbra.settings import Settings

LINE_CHARACTERS = 72
FACTS = "[facts]"
LINK = "[link]"

Facts = list[tuple[str, str]]


def compose(
    settings: Settings, mail: Mail, *, link: Secret[str] | None = None, code: Secret[str] | None = None
) -> EmailMessage:
    """Return the mail, ready to be handed in; nothing in it opens anything but its link or its code, if it has one."""
    sender = sender_of(settings)
    language = _language(mail)
    subject, *paragraphs = _paragraphs(settings, mail, language, code)
    facts = _facts(mail, language)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(sender.name or settings.issuer, sender.local, sender.domain)
    message["To"] = Address("", *_parts(mail.recipient))
    message["Subject"] = f"{settings.issuer}: {subject}"
    message["Date"] = mail.created_at
    message["Message-ID"] = f"<{mail.message_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is told to us
    message.set_content(_plain(paragraphs, facts, link), cte="quoted-printable")
    html = _HTML.get_template("mail.html").render(
        language=language,
        subject=subject,
        paragraphs=paragraphs,
        facts=facts,
        link=link.reveal() if link else None,
        facts_marker=FACTS,
        link_marker=LINK,
    )
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def sender_of(settings: Settings) -> Sender:
    """Return whom mail comes from.

    Raises:
        ValueError: No sender is configured.
    """
    return parse_sender(settings.mail_from or "")


def deliverable(address: str) -> str:
    """Return an address as mail servers take it, with a domain of other scripts in ASCII.

    Raises:
        UnicodeError: Its domain is none.
    """
    return "@".join(_parts(address))


def _parts(address: str) -> tuple[str, str]:
    local, _, domain = address.rpartition("@")
    plain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    if not typed.is_domain(plain):  # some letters of other scripts become punctuation
        raise UnicodeError("no domain")
    return local, plain


def _language(mail: Mail) -> str:
    """Return the language of the request that the mail is about: nobody knows better what its reader reads."""
    language: str | None = mail.detail.get("language")
    return language if language in words.LANGUAGES else words.LANGUAGES[0]


def _paragraphs(settings: Settings, mail: Mail, language: str, code: Secret[str] | None) -> list[str]:
    text = (
        _PLAIN[language]
        .get_template(f"{mail.kind}.txt")
        .render(
            issuer=settings.issuer,
            public_url=settings.public_url,
            method=mail.detail.get("method"),
            code=code.reveal() if code else None,
        )
    )
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


def _facts(mail: Mail, language: str) -> Facts:
    text = (
        _PLAIN[language]
        .get_template("facts.txt")
        .render(
            username=typed.header(mail.username, typed.USERNAME_MAX_CHARACTERS),
            at=f"{mail.created_at:%Y-%m-%d %H:%M} UTC",
            ip=mail.detail.get("ip"),
            browser=agents.called(mail.detail.get("user_agent"), words.catalogue(language)),
        )
    )
    pairs = (line.partition(": ") for line in text.splitlines() if line)
    return [(label, value) for label, _, value in pairs]


def _plain(paragraphs: list[str], facts: Facts, link: Secret[str] | None) -> str:
    width = max(len(label) for label, _ in facts)
    listed = "\n".join(f"    {label + ':':<{width + 2}}{value}" for label, value in facts)
    instead = {FACTS: listed} | ({LINK: link.reveal()} if link else {})  # an address that is wrapped is none
    return "\n\n".join(instead.get(one) or textwrap.fill(one, LINE_CHARACTERS) for one in paragraphs) + "\n"


def _speaking(language: str) -> Environment:
    """Return what renders the texts in a language."""
    plain = Environment(
        loader=_TEMPLATES,
        autoescape=False,  # noqa: S701 - it is no markup
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    plain.policies["ext.i18n.trimmed"] = True
    plain.install_gettext_translations(words.catalogue(language), newstyle=True)  # type: ignore[attr-defined]  # the extension's
    return plain


_TEMPLATES = PackageLoader("umbra.mail")
_PLAIN = {language: _speaking(language) for language in words.LANGUAGES}
_HTML = Environment(loader=_TEMPLATES, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
