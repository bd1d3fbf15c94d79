"""What a backup code looks like. Pure.

Twenty characters in groups of four: three that select the row, sixteen that nobody can guess (80 bits; NIST
SP 800-63B-4, 4.2.1.1, asks for 64), and one that catches typing errors.

Codes that were imported look as another application made them. Their rows have selectors that no code of ours can
have, and say nothing about the code (docs/decisions/0024-adoption.md).
"""

from dataclasses import dataclass

from umbra.core.crockford import ALPHABET, characters, cleaned
from umbra.core.entropy import Entropy
from umbra.core.errors import InvalidRequest
from umbra.core.proof import BackupProof
from umbra.core.secret import Secret

SELECTOR_CHARACTERS = 3
SECRET_CHARACTERS = 16
GROUP_CHARACTERS = 4
CODES_PER_SET = 10

LENGTH = SELECTOR_CHARACTERS + SECRET_CHARACTERS + 1

IMPORTED = "~"
"""What the selectors of imported codes begin with."""

AS_TYPED = IMPORTED + "="
"""What they begin with where the hash is the other application's: of a text that only the owner knows."""

LONGEST_IMPORTED = 64
"""Characters; no application of ours to read from makes longer ones, and hashing is paid for by the byte."""

_VALUES = {character: value for value, character in enumerate(ALPHABET)}


@dataclass(frozen=True, slots=True)
class BackupCode:
    """A code that has just been made, before it is shown once and hashed."""

    selector: str
    text: Secret[str]

    def shown(self) -> str:
        """Return the code in groups, for its owner."""
        text = self.text.reveal()
        return "-".join(text[i : i + GROUP_CHARACTERS] for i in range(0, LENGTH, GROUP_CHARACTERS))


def new_set(entropy: Entropy) -> list[BackupCode]:
    """Return ten fresh codes whose selectors differ."""
    codes: dict[str, BackupCode] = {}
    while len(codes) < CODES_PER_SET:
        body = characters(entropy, SELECTOR_CHARACTERS + SECRET_CHARACTERS)
        selector = body[:SELECTOR_CHARACTERS]
        codes.setdefault(selector, BackupCode(selector, Secret(body + _check(body))))
    return list(codes.values())


def parse(typed: str) -> BackupProof:
    """Return what somebody typed as a proof: case, spaces and hyphens ignored, look-alikes read as what is meant.

    Whether a text that is no code of ours is one that was imported, only the account can say.

    Raises:
        InvalidRequest: It can be nobody's: not of ASCII, or blank, or too long.
    """
    text = cleaned(typed)
    fault = _fault(text)
    if fault is not None and not (text and len(typed) <= LONGEST_IMPORTED):
        raise fault
    return BackupProof(
        text[:SELECTOR_CHARACTERS] if fault is None else None, Secret(text), Secret(typed.strip()), fault
    )


def imported_selector(number: int, *, as_typed: bool) -> str:
    """Return the selector of an imported code; ``as_typed`` if its hash is of the text as the owner knows it."""
    return f"{AS_TYPED if as_typed else IMPORTED}{number}"


def compared_text(selector: str, proof: BackupProof) -> Secret[str]:
    """Return the text of a proof that is compared with the row of ``selector``."""
    return proof.typed if selector.startswith(AS_TYPED) else proof.text


def _fault(text: str) -> InvalidRequest | None:
    if len(text) != LENGTH or not set(text) <= _VALUES.keys():
        return InvalidRequest(("backup_code", f"must be {LENGTH} letters and digits, as they were shown"))
    if _check(text[:-1]) != text[-1]:
        return InvalidRequest(("backup_code", "has a typing error in it"))
    return None


def _check(body: str) -> str:
    """Return the check character: the body as a polynomial over GF(32), evaluated at its generator.

    Every wrong character, and every two that changed places, give another one.
    """
    total = 0
    for character in body:
        total = _times_x(total) ^ _VALUES[character]
    return ALPHABET[_times_x(total)]


def _times_x(value: int) -> int:
    """Multiply by x in GF(32), reduced by x⁵ + x² + 1."""
    doubled = value << 1
    return doubled ^ 0b100101 if doubled & 0b100000 else doubled
