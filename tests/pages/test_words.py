"""What pages say: all of it, in every language, and what to do about each refusal."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from pages import catalogue
from pages.browsing import Browser, sound
from support.people import Person
from umbra import words
from umbra.attempts.errors import AttemptsSpent
from umbra.audit.event import AuditEvent
from umbra.core import agents
from umbra.core.errors import InvalidRequest
from umbra.core.events import Event
from umbra.pages import history, messages
from umbra.pages.forms import Form
from umbra.passwords.errors import PasswordRefused
from umbra.web.problems import ANSWERS

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
ENGLISH, GERMAN = words.catalogue("en"), words.catalogue("de")
CATALOGUES = sorted(catalogue.LOCALE.glob("*.po"))
SOURCE = Path(messages.__file__).parents[1]
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


# The catalogues


def test_there_is_a_catalogue_for_every_language_but_that_of_the_source() -> None:
    assert list(words.LANGUAGES[1:]) == [path.stem for path in CATALOGUES]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_is_up_to_date_and_compiled(path: Path) -> None:
    assert path.read_bytes() == catalogue.written(catalogue.merged(path)), "run make words"
    assert path.with_suffix(".mo").read_bytes() == catalogue.compiled(catalogue.kept(path)), "run make words"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_text_is_translated_with_the_same_places_for_values(path: Path) -> None:
    kept: Catalog = catalogue.kept(path)
    assert [] == [message.id for message in catalogue.texts(kept) if not catalogue.is_done(message)]
    for message in catalogue.texts(kept):
        assert _places(str(message.id)) == _places(str(message.string)), message.id


def _places(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", text))


# Languages


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("en-GB,de;q=0.5", "en"), ("fr,de;q=0.3", "de"),
        ("fr", "en"), ("*", "en"), ("en;q=0.1,de;q=0.2", "de"), ("de;q=0,en", "en"), ("de;q=x,en", "en"), ("DE", "de"),
        (",,;;q=,de" * 500, "de"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_that_a_browser_likes_best(accepted: str, language: str) -> None:
    assert language == words.negotiated(accepted)


async def test_pages_are_in_german_for_whoever_reads_it(alice: Person, browser: Browser) -> None:
    browser.client.headers["Accept-Language"] = "de-CH, de;q=0.9"
    page = await browser.open("/security")
    assert ("de", ["Sicherheit"]) == (page.language, page.headings)
    page = await browser.open("/security/account")
    page = sound(await browser.send(page, "/security/password", current_password="x", new_password="short"), 422)
    assert page.title.startswith("Fehler: Konto")
    assert ["Nehmen Sie mindestens 15 Zeichen."] == page.errors
    page = await browser.open("/security/activity")
    assert "Bei der Anmeldung wurde das richtige Passwort eingegeben" in page.text
    assert [["Wo Sie angemeldet sind"]] == [(await browser.open("/security/sessions")).headings]


# Refusals


def test_there_is_a_text_for_every_reason_and_no_other() -> None:
    assert ANSWERS.keys() - {"invalid_request"} == messages.REASONS.keys()


@pytest.mark.parametrize("why", sorted(set(re.findall(r'PasswordRefused\(f?"([^"]+)"\)', "".join(
    path.read_text() for path in SOURCE.rglob("*.py"))))))  # fmt: skip
def test_what_is_wrong_with_a_password_is_said_in_every_language(why: str) -> None:
    refusal = PasswordRefused(re.sub(r"\{\w+\}", "8", why))
    (english,), (german,) = (messages.tell(refusal, one, NOON, "").problems for one in (ENGLISH, GERMAN))
    assert english.text != german.text
    assert ("8" in why.replace("{", "8")) == ("8" in german.text)


@pytest.mark.parametrize("name", sorted(messages.MISSING))
def test_what_is_missing_and_what_is_malformed_is_said_at_its_field(name: str) -> None:
    form = Form({name: "x"})
    for problem in ("is required", "must be otherwise"):
        (english,), (german,) = (
            messages.tell(InvalidRequest((name, problem)), one, NOON, "", form=form).problems
            for one in (ENGLISH, GERMAN)
        )
        assert (name, name) == (english.field, german.field)
        assert english.text != german.text
        assert problem not in english.text


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (1, "Wait 1 second,", "Warten Sie 1 Sekunde,"),
        (119, "Wait 119 seconds,", "Warten Sie 119 Sekunden,"),
        (120, "Wait 2 minutes,", "Warten Sie 2 Minuten,"),
        (121, "Wait 3 minutes,", "Warten Sie 3 Minuten,"),
        (3600, "Wait 60 minutes,", "Warten Sie 60 Minuten,"),
    ],
)
def test_a_wait_is_said_in_words_and_until_when(seconds: int, english: str, german: str) -> None:
    for catalogue_, text in ((ENGLISH, english), (GERMAN, german)):
        told = messages.tell(AttemptsSpent(timedelta(seconds=seconds)), catalogue_, NOON, "")
        assert text in told.problems[0].text
        assert NOON + timedelta(seconds=seconds) == told.until
        assert str(seconds) == told.headers["Retry-After"]


# What has happened


def _line(event: str, reason: str | None = None, method: str | None = None) -> history.Line:
    return history.line(AuditEvent(1, NOON, event, reason, 1, None, None, {"method": method} if method else None))


def test_there_are_words_for_every_event_and_for_every_reason_of_one_that_is_somebodys() -> None:
    assert {str(event) for event in Event} == history.DONE.keys()
    reasons = set(
        re.findall(r"^\| `(\w+)` \|", (REFERENCE / "events.md").read_text().split("## Reasons")[1], re.MULTILINE)
    )
    assert reasons == history.REFUSED.keys() | history.REFUSED_TO_NOBODY.keys()
    assert history.DONE_BY_OPERATOR.keys() <= history.DONE.keys()
    assert history.WHERE.keys() <= history.DONE.keys()


@pytest.mark.parametrize(
    ("line", "text", "where", "is_alarming"),
    [
        (_line("sign_in_code", None, "totp"), "Signed in with a code", None, False),
        (_line("sign_in_code", None, "backup_code"), "Signed in with a backup code", None, False),
        (_line("sign_in_code", "replayed", "totp"), "A code that had been used before was tried",
         "at sign-in, after the right password", True),
        (_line("sign_in_code", "replayed", "backup_code"), "A backup code that had been used before was tried",
         "at sign-in, after the right password", True),
        (_line("sign_in_password", "wrong", "password"), "A wrong password was tried", "at sign-in", True),
        (_line("second_factor_disabled", "wrong", "totp"), "A wrong code was tried", "to turn two-step sign-in off",
         True),
        (_line("session_ended", "not_found"), "Something was asked for that is not there", "to end a session", False),
        (_line("something_new", "of_its_own"), "of its own", None, False),
        (_line("something_new"), "something new", None, False),
    ],
)  # fmt: skip
def test_what_has_happened_is_said_in_words(
    line: history.Line, text: str, where: str | None, is_alarming: bool
) -> None:
    assert (text, where, is_alarming) == (line.text, line.where, line.is_alarming)


@pytest.mark.parametrize(
    ("user_agent", "browser", "system"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox", "Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1", "Safari", "iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge", "Windows"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36",
         "Chrome", "Android"),
        ("curl/8.5.0", None, None),
        (None, None, None),
    ],
)  # fmt: skip
def test_a_browser_is_called_by_its_name(user_agent: str | None, browser: str | None, system: str | None) -> None:
    assert (browser, system) == agents.named(user_agent)
