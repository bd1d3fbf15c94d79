"""What somebody offers to prove who they are, after the border has cleaned it."""

from dataclasses import field
from datetime import timedelta

from umbra.core.errors import InvalidRequest, Refused
from umbra.core.record import record
from umbra.core.secret import Secret
from umbra.core.typed import Digits


@record
class TotpProof:
    """Six digits from an authenticator app."""

    code: Digits = field(repr=False)


@record
class BackupProof:
    """A backup code; ``fault`` says why it can be none of ours, which leaves those that were imported.

    ``typed`` is the text as it came, for codes of which another application has left us nothing but a hash.
    """

    selector: str | None = field(repr=False)
    text: Secret[str] = field(repr=False)
    typed: Secret[str] = field(repr=False)
    fault: InvalidRequest | None = None


SecondFactorProof = TotpProof | BackupProof


class CodeRefused(Refused):
    """The code, TOTP, backup or from a mail, is wrong, outside its time, or already used.

    The caller is told one reason for all three: "already used" would confirm to a thief that the code was right.
    """

    reason = "code_refused"

    def __init__(self, cause: str) -> None:
        super().__init__(self.reason)
        self._cause = cause

    @property
    def cause(self) -> str:
        """One of ``wrong``, ``late``, ``replayed``, ``superseded``, ``moved_secret``, ``no_code``."""
        return self._cause


class ClockOff(CodeRefused):
    """The first code of a set-up is right for another moment: the app's clock is off by ``off_by``, ahead if positive.

    It is the one refusal that says so, since whoever sets an app up holds its secret; a face may tell them.
    """

    def __init__(self, off_by: timedelta) -> None:
        super().__init__("late")
        self.off_by = off_by
