"""An examination of an installation, for its operator."""

from dataclasses import dataclass
from datetime import timedelta

from umbra import upkeep
from umbra.auth import Auth
from umbra.core.errors import Unavailable
from umbra.db import migrate
from umbra.db.transaction import DatabaseFault
from umbra.mail import flows as mail

MAIL_IS_BEHIND_AFTER = timedelta(hours=1)
CLOCK_TOLERANCE = timedelta(seconds=5)
OPEN_TO_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    is_well: bool
    detail: str


async def examine(auth: Auth) -> list[Finding]:
    """Look at everything that can be looked at, in an order in which one thing explains the next."""
    findings = [_data_directory(auth)] if auth.db.shape.owns_accounts else []
    try:
        findings.append(await _clocks(auth))
        differences = await migrate.differences(auth.db)
        findings.append(Finding("schema", not differences, "; ".join(differences) or "current"))
        findings.append(await _keys(auth))
        findings.append(await _secrets(auth))
        if auth.db.shape.owns_accounts:  # a host has mail of its own
            findings.append(await _mail(auth))
    except Unavailable:
        findings.append(Finding("database", is_well=False, detail="cannot be reached (UMBRA_DATABASE_URL)"))
    except DatabaseFault as fault:
        findings.append(Finding("database", is_well=False, detail=f"refused a statement ({fault})"))
    return findings


def _data_directory(auth: Auth) -> Finding:
    mode = auth.settings.data_dir.stat().st_mode
    is_private = not mode & OPEN_TO_OTHERS
    return Finding("data directory", is_private, "private" if is_private else "open to other users")


async def _clocks(auth: Auth) -> Finding:
    """Compare our clock, which decides, with the database's, which tells when it is wrong."""
    at = await auth.db.clock()
    apart = abs(auth.clock.now() - at)
    return Finding("clock", apart <= CLOCK_TOLERANCE, f"{apart.total_seconds():.1f} s from the database's")


async def _keys(auth: Auth) -> Finding:
    is_alive = await upkeep.is_canary_alive(auth)
    return Finding("keys", is_alive, "open the data" if is_alive else "do not open the data (UMBRA_ENCRYPTION_KEYS)")


async def _secrets(auth: Auth) -> Finding:
    """Open every sealed secret in its place."""
    use = await upkeep.key_use(auth)
    is_well = not use.unreadable and not use.moved
    return Finding("secrets", is_well, f"{use.unreadable} unreadable, {use.moved} moved to another row")


async def _mail(auth: Auth) -> Finding:
    """Knock at the mail server's door, and look at what waits for it."""
    if not auth.settings.sends_mail:
        return Finding("mail", is_well=True, detail="no mail server (UMBRA_SMTP_URL): nobody is told of changes")
    error = await mail.unreachable(auth)
    left = await mail.backlog(auth)
    is_behind = left.oldest is not None and auth.clock.now() - left.oldest > MAIL_IS_BEHIND_AFTER
    server = "the server answers" if error is None else f"the server cannot be used ({error})"
    detail = (
        f"{server}; {left.waiting} waiting{' for more than an hour' if is_behind else ''}, {left.given_up} given up"
    )
    return Finding("mail", error is None and not is_behind, detail)
