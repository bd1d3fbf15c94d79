"""What a code in a mail looks like. Pure.

Eight characters in two groups: 40 bits. They are guessed at five times at most, so the rest is for whoever reads the
database; its hash is slow, and the code dies after ten minutes.
"""

from umbra.core import crockford
from umbra.core.entropy import Entropy
from umbra.core.errors import InvalidRequest
from umbra.core.secret import Secret

LENGTH = 8
GROUP_CHARACTERS = 4

MALFORMED = f"must be {LENGTH} letters and digits, as they were mailed"


def new(entropy: Entropy) -> Secret[str]:
    """Return a fresh code."""
    return Secret(crockford.characters(entropy, LENGTH))


def shown(code: Secret[str]) -> Secret[str]:
    """Return the code in groups, as the mail has it."""
    text = code.reveal()
    return Secret("-".join(text[at : at + GROUP_CHARACTERS] for at in range(0, LENGTH, GROUP_CHARACTERS)))


def parse(typed: str, field: str = "code") -> Secret[str]:
    """Return what somebody typed into ``field``: case, spaces and hyphens ignored, look-alikes read as what is meant.

    Raises:
        InvalidRequest: It is not of the form.
    """
    text = crockford.cleaned(typed)
    if len(text) != LENGTH or not set(text) <= set(crockford.ALPHABET):
        raise InvalidRequest((field, MALFORMED))
    return Secret(text)
