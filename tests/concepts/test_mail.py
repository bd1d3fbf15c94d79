"""Mail before it is sent: what it says, what it cannot be made to say, and the settings that it comes from."""

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from html import unescape
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbra.core import smtp, typed
from umbra.core.errors import InvalidRequest, Misconfigured
from umbra.core.secret import Secret
from umbra.mail import agents, message
from umbra.mail.kinds import WITH_CODE, Kind, link_in
from umbra.mail.store import Mail
from umbra.settings import Settings, checked
from umbra.words import LANGUAGES, catalogue

SETTINGS = checked({"smtp_url": "smtp://127.0.0.1", "mail_from": "umbra@login.example", "issuer": "Acme & Söhne"})
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
]
TEMPLATES = resources.files("umbra.mail") / "templates"

ENGLISH = catalogue("en")

LINK = f"http://127.0.0.1:8000/password/reset?token=uml_{'x' * 43}"

EVIL = 'x\r\nBcc: thief@example.com\r\n\r\n<a href="https://evil.example">Sign in</a>'


def composed(kind: str = Kind.NEW_BROWSER, **more: Any) -> EmailMessage:
    """Return a mail as it arrives."""
    given = {"recipient": "alice@example.com", "username": "alice", "message_id": "0123"} | more
    at = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    link = Secret(LINK) if link_in(kind) else None
    code = Secret("4F7K-2M9Q") if kind in WITH_CODE else None
    mail = Mail(kind, created_at=at, **given)
    sent = message.compose(SETTINGS, mail, link=link, code=code).as_bytes(policy=SMTP)
    arrived = message_from_bytes(sent, policy=default)
    assert isinstance(arrived, EmailMessage)
    return arrived


def bodies(mail: EmailMessage) -> list[str]:
    return [part.get_content() for part in mail.walk() if not part.is_multipart()]


@pytest.mark.parametrize("language", [*LANGUAGES, "xx", None])
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_subject_and_says_the_same_as_text_and_as_html(kind: Kind, language: str | None) -> None:
    mail = composed(kind, detail={"ip": "192.0.2.1", "language": language})
    text, html = bodies(mail)
    assert HEADERS == mail.keys()
    assert mail["Subject"].startswith("Acme & Söhne: ")
    assert words(text) == words(unescape(re.sub(r"<[^>]+>", " ", html.partition("</h1>")[2])))


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_speaks_german_to_whoever_reads_it(kind: Kind) -> None:
    english, german = (composed(kind, detail={"language": language}) for language in ("en", "de"))
    assert english["Subject"] != german["Subject"]
    assert not {"the", "your", "The", "Your"} & set(words(bodies(german)[0]))
    assert '<html lang="de">' in bodies(german)[1]


def words(text: str) -> list[str]:
    """Return the words of a text, without the colons after what is listed."""
    return [word.removesuffix(":") for word in text.split()]


@pytest.mark.parametrize("kind", Kind)
def test_no_mail_has_a_picture_a_script_or_a_link_besides_its_own(kind: Kind) -> None:
    text, html = bodies(composed(kind))
    for tag in ("<img", "<script", "<form", "<link", "url("):
        assert tag not in html
    its_own = {LINK} if link_in(kind) else set()
    assert its_own == set(re.findall(r'<a href="([^"]+)"', html))
    assert its_own | {"http://127.0.0.1:8000"} >= set(re.findall(r"https?://[^\s<\"]*[^\s<.,\"]", text + html))
    assert not its_own or text.splitlines().count(LINK) == 1


@pytest.mark.parametrize("file", [file for file in TEMPLATES.iterdir() if file.name.endswith(".html")])
def test_no_template_of_a_mail_turns_escaping_off(file: Any) -> None:
    assert not re.search(r"\|\s*safe|autoescape", file.read_text())


@pytest.mark.parametrize("where", ["username", "user_agent", "ip", "recipient"])
def test_lines_and_markup_from_elsewhere_get_into_no_header_and_no_html(where: str) -> None:
    more: dict[str, Any] = {"detail": {"ip": "192.0.2.1", "user_agent": None}}
    if where in more["detail"]:
        more["detail"][where] = EVIL
    elif where == "recipient":
        with pytest.raises(ValueError, match=r"linefeed|CR or LF|invalid"):
            composed(recipient=EVIL + "@example.com")
        return
    else:
        more[where] = EVIL
    mail = composed(**more)
    assert HEADERS == mail.keys()
    assert [LINK] == re.findall(r"<a href=\"([^\"]*)", bodies(mail)[1])


@given(st.text(max_size=200), st.text(max_size=300))
def test_no_name_and_no_program_gets_into_a_header_or_adds_a_fact(username: str, user_agent: str) -> None:
    detail = {"ip": "192.0.2.1", "user_agent": user_agent}
    mail = composed(username=username.encode("utf-8", "ignore").decode(), detail=detail)
    assert HEADERS == mail.keys()
    assert 4 == bodies(mail)[1].count("<tr>")


part_of_an_address = st.text(min_size=1, max_size=40) | st.text("a0.,;:<>()[]\"\\=?@-_'\N{FULLWIDTH COMMA}", min_size=1)


@given(part_of_an_address, part_of_an_address)
def test_every_address_that_an_account_may_have_makes_a_mail_or_is_none(local: str, domain: str) -> None:
    try:
        address = typed.email(f"{local}@{domain}")
        recipient = message.deliverable(address)
    except (InvalidRequest, UnicodeError):
        return
    sent = message.compose(SETTINGS, Mail(Kind.TEST, address, "alice", "0123", datetime(2026, 1, 1, tzinfo=UTC)))
    assert ["From", "To"] == sent.keys()[:2]
    assert not re.search(r"[\r\n\0]", recipient)


@pytest.mark.parametrize(
    ("user_agent", "called"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
         "Chrome on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
         "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1",
         "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18.0 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32", "python-requests"),
        ("go to https://evil.example/ at once", agents.UNKNOWN),
        ("evil.example/1.0", agents.UNKNOWN),
        ("Mozilla/5.0", agents.UNKNOWN),
        ("", agents.UNKNOWN),
        (None, agents.UNKNOWN),
    ],
)  # fmt: skip
def test_a_browser_is_called_what_people_call_it(user_agent: str | None, called: str) -> None:
    assert called == agents.called(user_agent, ENGLISH)


@given(st.text())
def test_no_user_agent_puts_an_address_into_a_mail(user_agent: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9 -]+", agents.called(user_agent, ENGLISH))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 25, "none", None)),
        ("smtp+starttls://mail.example", ("mail.example", 587, "starttls", None)),
        ("smtps://mail.example/", ("mail.example", 465, "tls", None)),
        ("smtps://umbra:p%40ss%2Fword@mail.example:2465", ("mail.example", 2465, "tls", ("umbra", "p@ss/word"))),
        ("smtp://umbra:secret@127.0.0.1:1025", ("127.0.0.1", 1025, "none", ("umbra", "secret"))),
        ("smtp://umbra:secret@[::1]", ("::1", 25, "none", ("umbra", "secret"))),
    ],
)
def test_the_address_of_a_mail_server_says_how_to_speak_to_it(url: str, expected: tuple[Any, ...]) -> None:
    server = message_server(checked({"smtp_url": url, "mail_from": "a@b.example"}))
    login = (server.login.username, server.login.password.reveal()) if server.login else None
    assert expected == (server.host, server.port, server.security, login)


def message_server(settings: Settings) -> Any:
    assert settings.smtp_url is not None
    return smtp.parse_server(settings.smtp_url.get_secret_value())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"smtp_url": "mail.example"}, "UMBRA_SMTP_URL: must be smtp://"),
        ({"smtp_url": "http://mail.example"}, "UMBRA_SMTP_URL: must be smtp://"),
        ({"smtp_url": "smtp://"}, "UMBRA_SMTP_URL: must be smtp://"),
        ({"smtp_url": "smtp://mail.example:secret"}, "UMBRA_SMTP_URL: has no valid host or port"),
        ({"smtp_url": "smtp://mail.example/secret"}, "UMBRA_SMTP_URL: must hold user"),
        ({"smtp_url": "smtps://secret@mail.example"}, "UMBRA_SMTP_URL: must hold a user and a password, or neither"),
        ({"smtp_url": "smtp://umbra:secret@mail.example"}, "UMBRA_SMTP_URL: must be smtp[+]starttls:// or smtps://"),
        ({"smtp_url": "smtp://mail.example"}, "UMBRA_MAIL_FROM: is required with UMBRA_SMTP_URL"),
        ({"mail_from": "secret"}, "UMBRA_MAIL_FROM: must be an address"),
        ({"mail_from": "A <secret@b.example> c"}, "UMBRA_MAIL_FROM: must be an address"),
        ({"mail_from": "A\r\nBcc: secret <a@b.example>"}, "UMBRA_MAIL_FROM: must be an address"),
    ],
)
def test_a_setting_of_mail_that_is_wrong_is_named_and_not_repeated(given: dict[str, str], said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as refused:
        checked(given)
    assert "secret" not in str(refused.value)


def test_the_password_of_the_mail_server_does_not_print() -> None:
    settings = checked({"smtp_url": "smtps://umbra:tell-nobody@mail.example", "mail_from": "a@b.example"})
    for printed in (repr(settings), str(settings), repr(message_server(settings)), settings.model_dump_json()):
        assert "tell-nobody" not in printed


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("umbra@login.example", "Acme & Söhne"),
        ("Sign-in <umbra@login.example>", "Sign-in"),
        ('"Acme, Inc." <umbra@login.example>', "Acme, Inc."),
    ],
)
def test_mail_comes_from_the_service_or_whom_the_setting_names(sender: str, name: str) -> None:
    settings = SETTINGS.model_copy(update={"mail_from": sender})
    made = message.compose(settings, Mail(Kind.TEST, "a@b.example", "-", "0", datetime(2026, 1, 1, tzinfo=UTC)))
    (arrived,) = message_from_bytes(made.as_bytes(), policy=default)["From"].addresses
    assert (name, "umbra@login.example") == (arrived.display_name, arrived.addr_spec)
