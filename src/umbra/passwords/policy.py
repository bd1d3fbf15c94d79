"""Which new passwords are good enough (NIST SP 800-63B-4, 3.1.1.2). Pure, and slow for long ones."""

from umbra.core.secret import Secret
from umbra.core.typed import PASSWORD_MAX_BYTES, folded, is_too_long
from umbra.passwords.errors import PasswordRefused

ESTIMATED_CHARACTERS = 48
"""What the estimator looks at; its work grows faster than the text, and the beginning already decides."""

FEWEST_GUESSES = 10**8
"""Estimated guesses below which a password is too guessable, whatever its length."""

TWINS = str.maketrans("{[<|!@$+9", "(((114576")
"""Symbols that the estimator reads as the same letter as another symbol. It tries every combination of them, which
takes seconds for a password that is made for it; one symbol a letter reads as well."""

MOST_TWINS = 4

FEWEST_OTHER_CHARACTERS = 4
"""How much a password must hold beside the user's or the service's name."""


def check(password: Secret[str], *, min_length: int, username: str, email: str | None, service: str) -> None:
    """Accept ``password`` for ``username``, or say what is wrong with it.

    There are no rules of composition, and each code point counts one.

    Raises:
        PasswordRefused: It is too short, too long, too guessable, or made of a name that everybody knows.
    """
    text = password.reveal()
    if len(text) < min_length:
        raise PasswordRefused(f"use at least {min_length} characters")
    if is_too_long(password):
        raise PasswordRefused(f"use at most {PASSWORD_MAX_BYTES} bytes")
    known = [folded(name) for name in (username, (email or "").partition("@")[0], service) if name]
    if len(_without(folded(text), known)) < FEWEST_OTHER_CHARACTERS:
        raise PasswordRefused("do not build it from your name or ours")
    from zxcvbn import zxcvbn  # noqa: PLC0415 - its dictionaries are 14 MB, and most processes set no password

    if zxcvbn(_bounded(text), user_inputs=known)["guesses"] < FEWEST_GUESSES:
        raise PasswordRefused("it is too easy to guess; use several uncommon words")


def _bounded(text: str) -> str:
    """Return what the estimator is given: no more than it can take in a fraction of a second."""
    beginning = text[:ESTIMATED_CHARACTERS]
    has_many_twins = sum(chr(twin) in beginning for twin in TWINS) > MOST_TWINS
    return beginning.translate(TWINS) if has_many_twins else beginning


def _without(text: str, names: list[str]) -> str:
    for name in names:
        text = text.replace(name, "")
    return text
