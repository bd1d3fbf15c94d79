"""An examination of an installation, for its operator; docs/reference/doctor.md says what to do about each finding."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from umbra import restore, upkeep
from umbra.audit import flows as audit
from umbra.auth import Auth
from umbra.core.errors import Misconfigured, Unavailable
from umbra.db import durability
from umbra.db.transaction import DatabaseFault
from umbra.settings import Settings
from umbra.words import marked

MAIL_IS_BEHIND_AFTER = timedelta(hours=1)
SEALING_IS_BEHIND_AFTER = timedelta(minutes=10)
CLOCK_TOLERANCE = timedelta(seconds=5)
OPEN_TO_OTHERS = 0o077

CLEANUP_IS_BEHIND_AFTER = 4 * upkeep.CLEANUP_EVERY

NARROWEST = {4: 8, 6: 7}
"""What is wider than 10.0.0.0/8 or fc00::/7 is no network of proxies."""

EXIT_CODES = {
    marked("schema"): 10,
    marked("constraints"): 11,
    marked("database"): 12,
    marked("durability"): 13,
    marked("keys"): 14,
    marked("secrets"): 15,
    marked("rotation"): 16,
    marked("clock"): 17,
    marked("data directory"): 18,
    marked("proxies"): 19,
    marked("clean-up"): 20,
    marked("mail"): 21,
    marked("restore"): 22,
    marked("audit log"): 23,
}
"""What ``umbra doctor`` exits with; of several findings, the lowest: what may be the cause of others stands first."""

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
    def exit_code(self) -> int:
        """What the command exits with if nothing worse is found."""
        return 0 if self.is_well else EXIT_CODES[self.name]

    @property
    def detail(self) -> str:
        """What was found, in English."""
        return self.text % self.values


async def examine(auth: Auth) -> list[Finding]:
    """Look at everything that can be looked at, in an order in which one thing explains the next."""
    is_server = auth.db.shape.owns_accounts  # a host has a folder, proxies and mail of its own, and no mark
    findings = [_data_directory(auth), _proxies(auth.settings)] if is_server else []
    try:
        findings.append(await _clocks(auth))
        findings.append(await _schema(auth))
        findings.append(await _constraints(auth))
        findings.append(await _durability(auth))
        findings.append(await _keys(auth))
        findings += await _secrets(auth)
        findings.append(await _cleanup(auth))
        if is_server:
            findings.append(await _mail(auth))
            findings.append(await _restore(auth))
        findings.append(await _audit_log(auth))
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


def _proxies(settings: Settings) -> Finding:
    """Look whether clients can be told apart, and whether they can choose who they are."""
    wide = [str(one) for one in settings.trusted_proxies if one.prefixlen < NARROWEST[one.version]]
    name = marked("proxies")
    if wide:
        text = marked("anybody may claim any address: %(wide)s is trusted (UMBRA_TRUSTED_PROXIES)")
        return Finding(name, is_well=False, text=text, values={"wide": ", ".join(wide)})
    if settings.is_https and not settings.trusted_proxies:
        text = marked("everybody seems to come from the proxy: none is trusted (UMBRA_TRUSTED_PROXIES)")
        return Finding(name, is_well=False, text=text)
    if settings.trusted_proxies and not settings.is_https:
        text = marked("there are proxies, and UMBRA_PUBLIC_URL is not https")
        return Finding(name, is_well=False, text=text)
    return Finding(name, is_well=True, text=marked("as the public address wants them"))


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


async def _constraints(auth: Auth) -> Finding:
    from umbra.db import constraints, migrate  # noqa: F401, PLC0415 - it knows every table; see above

    broken = await constraints.broken(auth.db)
    if not broken:
        return Finding(marked("constraints"), is_well=True, text=marked("all enforced"))
    return Finding(marked("constraints"), is_well=False, text="%(found)s", values={"found": "; ".join(broken)})


async def _durability(auth: Auth) -> Finding:
    slips = await durability.slips(auth.db)
    if not slips:
        return Finding(marked("durability"), is_well=True, text=marked("what is committed is kept"))
    text = marked("what is committed may be lost, or cannot be written: %(slips)s")
    return Finding(marked("durability"), is_well=False, text=text, values={"slips": ", ".join(slips)})


async def _keys(auth: Auth) -> Finding:
    if await upkeep.is_new(auth):
        return Finding(marked("keys"), is_well=True, text=marked("nothing is sealed yet: no server has started"))
    is_alive = await upkeep.is_canary_alive(auth)
    text = marked("open the data") if is_alive else marked("do not open the data (UMBRA_ENCRYPTION_KEYS)")
    return Finding(marked("keys"), is_alive, text)


async def _secrets(auth: Auth) -> list[Finding]:
    """Open every sealed secret in its place, and see which key does it."""
    use = await upkeep.key_use(auth)
    is_well = not use.unreadable and not use.moved
    text = marked("%(unreadable)s unreadable, %(moved)s moved to another row")
    values: dict[str, str | int] = {"unreadable": use.unreadable, "moved": use.moved}
    old = sum(use.rows.values()) - use.rows[auth.keyring.key_ids[0]]
    return [
        Finding(marked("secrets"), is_well, text, values),
        Finding(marked("rotation"), not old, marked("%(old)s secrets under an older key"), {"old": old}),
    ]


async def _cleanup(auth: Auth) -> Finding:
    """Look for what no server has deleted though it had the time."""
    left = await upkeep.overdue(auth, auth.clock.now() - CLEANUP_IS_BEHIND_AFTER)
    text = marked("%(left)s rows past their life for more than 20 minutes")
    return Finding(marked("clean-up"), not left, text, {"left": left})


async def _mail(auth: Auth) -> Finding:
    """Knock at the mail server's door, and look at what waits for it."""
    if not auth.settings.sends_mail:
        nobody = marked("no mail server (UMBRA_SMTP_URL): nobody is told of changes")
        return Finding(marked("mail"), is_well=True, text=nobody)
    from umbra.mail import flows as mail  # noqa: PLC0415 - who sends no mail does not load what writes it

    error = await mail.unreachable(auth)
    left = await mail.backlog(auth)
    is_behind = left.oldest is not None and auth.clock.now() - left.oldest > MAIL_IS_BEHIND_AFTER
    values: dict[str, str | int] = {"waiting": left.waiting, "given_up": left.given_up, "error": error or ""}
    return Finding(marked("mail"), error is None and not is_behind, MAIL[error is None, is_behind], values)


async def _restore(auth: Auth) -> Finding:
    """Ask what a server that starts would ask: whether the database has come as far as its mark."""
    name = marked("restore")
    try:
        found = await restore.look(auth)
    except Misconfigured as error:
        return Finding(name, is_well=False, text="%(found)s", values={"found": str(error)})
    if found.mark is None:
        unseen = marked("no mark yet: no server has started with this database and this data directory")
        return Finding(name, is_well=True, text=unseen)
    return Finding(name, is_well=True, text=marked("as far as its mark, or made safe since"))


async def _audit_log(auth: Auth) -> Finding:
    """Look at the end of the audit log; to look at all of it takes the longer, the longer it is."""
    name = marked("audit log")
    try:
        end = await audit.look_at_end(auth)
    except Misconfigured:
        return Finding(name, is_well=False, text=marked("the keys do not open its key (UMBRA_ENCRYPTION_KEYS)"))
    if not end.is_noted:
        text = marked("what is noted as its end is not its end (umbra audit verify)")
        return Finding(name, is_well=False, text=text)
    if end.waiting_since is not None and auth.clock.now() - end.waiting_since > SEALING_IS_BEHIND_AFTER:
        return Finding(name, is_well=False, text=marked("events wait for their seal for more than 10 minutes"))
    return Finding(name, is_well=True, text=marked("it is sealed, and ends where it is noted to end"))
