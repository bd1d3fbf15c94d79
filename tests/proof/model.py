"""What contract 1.5 and decision 0032 promise of one account, as a state in memory: no database, no clock of its own.

Seconds are whole and come as arguments. What the account is asked either happens, or is a ``No`` with the reason that
a caller must then see.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

import pyotp

PERIOD = 30
AROUND = (-1, 0, 1)
"""Steps that are looked at, counted from now (1.5, 2)."""

FREE = 5
FIRST_WAIT, LONGEST_WAIT = 30, 3600
LOCK = 100
CHALLENGE_GUESSES, CHALLENGE_LIFE = 5, 300
MOST_CHALLENGES = 100

DEAD = 2
"""Digits are dead while the step that they were accepted for lies at most so far behind now (1.5, 4)."""

LEDGER, PASSWORD_MEMORY = 4, 86_400
"""What a clean-up leaves: the digits of so many steps, the wrong passwords of so many seconds."""

PROBABILITY, SIDES, LIKELIEST = 0.0007, 2, Fraction(2_148, 2**31)
"""What the operator states, halved between strangers and known browsers; and the chance of the likeliest code."""

YEAR, A_YEARS = 365 * 86_400, int(Fraction(PROBABILITY) / SIDES / LIKELIEST)
"""Seconds, and the comparisons that each side has in them: together they succeed with at most what was stated."""

KNOWN_FOR = 400 * 86_400
"""Seconds from the sign-in that made a browser known; later ones do not make it longer."""


class No(Exception):
    """A refusal, and its reason; of ``attempts_spent`` with the seconds that are left to wait."""


@dataclass
class App:
    """An authenticator. Its last step is the order that no clean-up touches."""

    number: int
    secret: str
    last_step: int | None = None

    def step_of(self, digits: str, now: int) -> int | None:
        """Return the earliest acceptable step that the digits belong to."""
        near = (now // PERIOD + away for away in AROUND)
        later = (step for step in near if self.last_step is None or step > self.last_step)
        return next((step for step in later if pyotp.HOTP(self.secret).at(step) == digits), None)


@dataclass
class Budget:
    """Wrong guesses of one kind, in a row, and what they have cost in a year."""

    lock: int | None = None
    failures: int = 0
    next_at: int = 0
    charged_at: int = 0
    cost: int = 0
    year_ends: int = 0

    def refuse_waiting(self, now: int, costs: int = 0) -> None:
        wait = self.next_at - now if self.failures >= FREE else 0
        if self.is_locked:
            wait = LONGEST_WAIT
        if costs and self.cost + costs > A_YEARS:
            wait = max(wait, self.year_ends - now)
        if wait > 0:
            raise No(f"attempts_spent {wait}")

    @property
    def is_locked(self) -> bool:
        return self.lock is not None and self.failures >= self.lock

    def charge(self, now: int, costs: int = 0) -> None:
        if self.year_ends <= now:
            self.cost, self.year_ends = 0, now + YEAR
        self.cost += costs
        self.failures += 1
        self.charged_at = now
        self.next_at = now + min(FIRST_WAIT * 2 ** max(0, self.failures - FREE), LONGEST_WAIT)

    def forgive(self, costs: int = 0) -> None:
        self.failures = 0
        self.cost = max(0, self.cost - costs)

    def is_stale(self, now: int) -> bool:
        return (
            not self.failures and self.charged_at < now - PASSWORD_MEMORY and (not self.cost or self.year_ends <= now)
        )


@dataclass
class Challenge:
    opened_at: int
    guesses: int = 0

    def is_expired(self, now: int) -> bool:
        return now >= self.opened_at + CHALLENGE_LIFE


@dataclass
class Browser:
    """One that the account has met; its guesses are its own while it is proved, and until its time is over."""

    until: int
    is_proved: bool = True


@dataclass(frozen=True)
class Code:
    digits: str


@dataclass(frozen=True)
class Backup:
    text: str


Proof = Code | Backup


@dataclass
class Account:
    """Everything that decides. A browser is named by the cookie that it shows; a stranger is ``None``."""

    apps: list[App] = field(default_factory=list)
    ledger: list[tuple[str, int]] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)
    challenges: dict[str, Challenge] = field(default_factory=dict)
    totp: Budget = field(default_factory=lambda: Budget(LOCK))
    totp_known: Budget = field(default_factory=lambda: Budget(LOCK))
    backup: Budget = field(default_factory=Budget)
    passwords: defaultdict[str | None, Budget] = field(default_factory=lambda: defaultdict(Budget))
    browsers: dict[str, Browser] = field(default_factory=dict)
    is_disabled: bool = False

    def login(self, now: int, browser: str | None = None, *, is_right: bool = True) -> str:
        """Take the password step, and return what comes of it."""
        self._password(now, browser, is_right=is_right and not self.is_disabled)
        return "mfa_required" if self.apps else "signed_in"

    def opened(self, now: int, token: str) -> None:
        """Keep a challenge that the service has opened."""
        self.challenges[token] = Challenge(now)
        for oldest in list(self.challenges)[:-MOST_CHALLENGES]:
            del self.challenges[oldest]

    def met(self, now: int, browser: str) -> None:
        """Know the browser of a sign-in with a second factor; one that is known already is so for no longer."""
        known = self.browsers.get(browser)
        if known is None or known.until <= now:
            self.browsers[browser] = Browser(now + KNOWN_FOR)
        else:
            known.is_proved = True

    def verify(self, now: int, token: str, proof: Proof, browser: str | None = None) -> None:
        challenge = self.challenges.get(token)
        if challenge is None:
            raise No("challenge_refused")
        self._guess(now, proof, browser, challenge)
        del self.challenges[token]

    def step_up(self, now: int, proof: Proof, browser: str | None = None) -> None:
        self._refuse_off()
        self._guess(now, proof, browser)

    def confirm(self, now: int, app: App, code: Code, browser: str | None = None) -> None:
        """Add an app with its first code; the first app brings backup codes, which the service then tells."""
        self._refuse_disabled()
        self._guess(now, code, browser, among=[app])
        self.apps.append(app)

    def disable(self, now: int, proof: Proof, browser: str | None = None) -> None:
        self._refuse_off()
        self._password(now, browser)
        self._guess(now, proof, browser)
        self._forget_factors()
        self._forget_proofs()

    def regenerate(self, now: int, code: Code, browser: str | None = None) -> None:
        self._refuse_off()
        self._password(now, browser)
        self._guess(now, code, browser)
        self.unused.clear()

    def change_password(self, now: int, code: Code, browser: str | None = None) -> None:
        """Leave no browser known but the one that has just proved itself."""
        self._refuse_off()
        self._password(now, browser)
        self._guess(now, code, browser)
        self.challenges.clear()
        self._forget_proofs(besides=browser)

    def remove(self, now: int, number: int, proof: Proof, browser: str | None = None) -> None:
        self._refuse_disabled()
        if number not in {app.number for app in self.apps}:
            raise No("not_found")
        if len(self.apps) == 1:
            raise No("last_authenticator")
        self._guess(now, proof, browser)
        self.apps = [app for app in self.apps if app.number != number]

    def operator_disables(self) -> None:
        self.is_disabled = True
        self.challenges.clear()
        self._forget_proofs()

    def operator_enables(self) -> None:
        self.is_disabled = False

    def operator_resets(self, now: int) -> None:
        """Take the second factor away, and the counts of codes with it. What was accepted stays accepted."""
        self._forget_factors()
        self._forget_browsers(now)
        self.totp, self.totp_known, self.backup = Budget(LOCK), Budget(LOCK), Budget()

    def operator_ends(self) -> None:
        """End what is open; browsers go on being known."""
        self.challenges.clear()

    def application_ends(self) -> None:
        """End what is open, and have every browser prove itself anew."""
        self.challenges.clear()
        self._forget_proofs()

    def owner_was_not_alone(self, now: int) -> None:
        """End what is open, and know no browser any more."""
        self.challenges.clear()
        self._forget_browsers(now)

    def operator_makes_safe(self, now: int) -> None:
        """Move every app on behind what can have been accepted by now, as after a restored backup; end what waits.

        Browsers and counts stay as they were in it.
        """
        for app in self.apps:
            app.last_step = max(app.last_step or 0, now // PERIOD + 1)
        self.challenges.clear()

    def clean_up(self, now: int) -> None:
        """Forget what decides nothing any more; the order of each app's steps is not among it."""
        self.ledger = [(digits, step) for digits, step in self.ledger if step >= now // PERIOD - LEDGER]
        self.challenges = {token: one for token, one in self.challenges.items() if not one.is_expired(now)}
        for stale in [who for who, one in self.passwords.items() if one.charged_at < now - PASSWORD_MEMORY]:
            del self.passwords[stale]
        if self.totp.is_stale(now):
            self.totp = Budget(LOCK)
        if self.totp_known.is_stale(now):
            self.totp_known = Budget(LOCK)
        for over in [name for name, one in list(self.browsers.items())[:-1] if one.until <= now]:
            del self.browsers[over]

    def is_known(self, now: int, browser: str | None) -> bool:
        """Say whether a browser has guesses of its own."""
        known = self.browsers.get(browser) if browser else None
        return known is not None and known.is_proved and now < known.until

    def _refuse_disabled(self) -> None:
        if self.is_disabled:
            raise No("not_authenticated")

    def _refuse_off(self) -> None:
        self._refuse_disabled()
        if not self.apps:
            raise No("not_enabled")

    def _password(self, now: int, browser: str | None, *, is_right: bool = True) -> None:
        """Charge a known browser's own budget, or that of the network, which all strangers here share."""
        budget = self.passwords[browser if self.is_known(now, browser) else None]
        budget.refuse_waiting(now)
        budget.charge(now)
        if not is_right:
            raise No("credentials_refused")
        budget.forgive()

    def _codes_from(self, now: int, browser: str | None) -> Budget:
        """Return the budget of codes that all known browsers share, or the one that everything else does."""
        return self.totp_known if self.is_known(now, browser) else self.totp

    def _guess(
        self,
        now: int,
        proof: Proof,
        browser: str | None,
        challenge: Challenge | None = None,
        *,
        among: list[App] | None = None,
    ) -> None:
        """Charge a guess, look at it, and use it up; success clears the count of its kind and no other (1.5, 5)."""
        budget = self._codes_from(now, browser) if isinstance(proof, Code) else self.backup
        costs = len(AROUND) * len(self.apps if among is None else among) if isinstance(proof, Code) else 0
        budget.refuse_waiting(now, costs)
        if challenge is not None:
            if challenge.guesses >= CHALLENGE_GUESSES or challenge.is_expired(now):
                raise No("challenge_refused")
            challenge.guesses += 1
        budget.charge(now, costs)
        if isinstance(proof, Code):
            self._spend_step(now, proof.digits, self.apps if among is None else among)
        else:
            self._spend_backup_code(proof.text)
        budget.forgive(costs)

    def _spend_step(self, now: int, digits: str, among: list[App]) -> None:
        found = next(((app, step) for app in among if (step := app.step_of(digits, now)) is not None), None)
        if found is None or any(used == digits and step >= now // PERIOD - DEAD for used, step in self.ledger):
            raise No("code_refused")
        app, step = found
        app.last_step = step
        self.ledger.append((digits, step))

    def _spend_backup_code(self, text: str) -> None:
        if text not in self.unused:
            raise No("code_refused")
        self.unused.remove(text)
        for codes in (self.totp, self.totp_known):
            if codes.is_locked:
                codes.failures = 0

    def _forget_proofs(self, *, besides: str | None = None) -> None:
        """Take their guesses from the browsers, until a second factor is accepted there again."""
        for name, known in self.browsers.items():
            known.is_proved = known.is_proved and name == besides

    def _forget_browsers(self, now: int) -> None:
        """Know none any more, whatever the clock says later."""
        self._forget_proofs()
        for known in self.browsers.values():
            known.until = min(known.until, now)

    def _forget_factors(self) -> None:
        self.apps, self.challenges = [], {}
        self.unused.clear()
