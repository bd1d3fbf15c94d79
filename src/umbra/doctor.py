"""An examination of an installation, for its operator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from umbra import upkeep
from umbra.auth import Auth
from umbra.core.errors import Unavailable
from umbra.db.transaction import DatabaseFault
from umbra.mail import flows as mail
from umbra.words import marked

MAIL_IS_BEHIND_AFTER = timedelta(hours=1)
CLOCK_TOLERANCE = timedelta(seconds=5)
OPEN_TO_OTHERS = 0o077

MAIL = {
    (True, False): marked("the server answers; %(waiting)s waiting, %(given_up)s given up"),
    (True, True): marked("the server answers; %(waiting)s waiting for more than an hour, %(given_up)s given up"),
    (False, False): marked("the server cannot be used (%(error)s); %(waiting)s waiting, %(given_up)s given up"),
    (False, True): marked(
        "the server cannot be used (%(error)s); %(waiting)s waiting for more than an hour, %(given_up)s given up"
    ),
}
"""What is said when the server answers or does not, and when mail is behind or is not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; name and text are in the catalogue."""

    name: str
    is_well: bool
    text: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def detail(self) -> str:
        """What was found, in English."""
        return self.text % self.values


async def examine(auth: Auth) -> list[Finding]:
    """Look at everything that can be looked at, in an order in which one thing explains the next."""
    findings = [_data_directory(auth)] if auth.db.shape.owns_accounts else []
    try:
        findings.append(await _clocks(auth))
        findings.append(await _schema(auth))
        findings.append(await _keys(auth))
        findings.append(await _secrets(auth))
        if auth.db.shape.owns_accounts:  # a host has mail of its own
            findings.append(await _mail(auth))
    except Unavailable:
        findings.append(_database(marked("cannot be reached (UMBRA_DATABASE_URL)")))
    except DatabaseFault as fault:
        findings.append(_database(marked("refused a statement (%(fault)s)"), fault=str(fault)))
    return findings


def _database(text: str, **values: str) -> Finding:
    return Finding(marked("database"), is_well=False, text=text, values=values)


def _data_directory(auth: Auth) -> Finding:
    mode = auth.settings.data_dir.stat().st_mode
    is_private = not mode & OPEN_TO_OTHERS
    text = marked("private") if is_private else marked("open to other users")
    return Finding(marked("data directory"), is_private, text)


async def _clocks(auth: Auth) -> Finding:
    """Compare our clock, which decides, with the database's, which tells when it is wrong."""
    at = await auth.db.clock()
    apart = abs(auth.clock.now() - at)
    seconds = f"{apart.total_seconds():.1f}"
    text = marked("%(seconds)s s from the database's")
    return Finding(marked("clock"), apart <= CLOCK_TOLERANCE, text, {"seconds": seconds})


async def _schema(auth: Auth) -> Finding:
    from umbra.db import migrate  # noqa: PLC0415 - Alembic, which a server that need not migrate never loads

    differences = await migrate.differences(auth.db)
    if not differences:
        return Finding(marked("schema"), is_well=True, text=marked("current"))
    return Finding(marked("schema"), is_well=False, text="%(found)s", values={"found": "; ".join(differences)})


async def _keys(auth: Auth) -> Finding:
    is_alive = await upkeep.is_canary_alive(auth)
    text = marked("open the data") if is_alive else marked("do not open the data (UMBRA_ENCRYPTION_KEYS)")
    return Finding(marked("keys"), is_alive, text)


async def _secrets(auth: Auth) -> Finding:
    """Open every sealed secret in its place."""
    use = await upkeep.key_use(auth)
    is_well = not use.unreadable and not use.moved
    text = marked("%(unreadable)s unreadable, %(moved)s moved to another row")
    return Finding(marked("secrets"), is_well, text, {"unreadable": use.unreadable, "moved": use.moved})


async def _mail(auth: Auth) -> Finding:
    """Knock at the mail server's door, and look at what waits for it."""
    if not auth.settings.sends_mail:
        nobody = marked("no mail server (UMBRA_SMTP_URL): nobody is told of changes")
        return Finding(marked("mail"), is_well=True, text=nobody)
    error = await mail.unreachable(auth)
    left = await mail.backlog(auth)
    is_behind = left.oldest is not None and auth.clock.now() - left.oldest > MAIL_IS_BEHIND_AFTER
    values: dict[str, str | int] = {"waiting": left.waiting, "given_up": left.given_up, "error": error or ""}
    return Finding(marked("mail"), error is None and not is_behind, MAIL[error is None, is_behind], values)
