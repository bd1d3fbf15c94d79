"""What the forms of pages send, taken apart; what the text means is for core.typed to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from umbra.backup_codes import codes
from umbra.core import typed
from umbra.core.errors import InvalidRequest
from umbra.core.proof import SecondFactorProof, TotpProof
from umbra.core.secret import Secret

MEDIA_TYPE = "application/x-www-form-urlencoded"
REQUIRED = "is required"
EITHER = "is one proof of several, and one is wanted"
NEITHER = "is one of two proofs, and neither was sent"

MOST_FIELDS = 16
"""More than any form of ours has, and few enough to take apart at once."""


@dataclass(frozen=True, slots=True)
class Form:
    """Text by field. A field left blank counts as not sent: browsers send every field of a form."""

    texts: Mapping[str, str] = field(repr=False)

    def only(self, *known: str) -> None:
        """Accept no other field than these.

        Raises:
            InvalidRequest: There is another one.
        """
        if not self.texts.keys() <= set(known):
            raise InvalidRequest(("form", "has a field that is not known here"))

    def optional(self, name: str) -> str | None:
        """Return the text of a field that may be blank."""
        return self.texts.get(name) or None

    def has(self, name: str) -> bool:
        """Say whether the form has that field, filled in or blank."""
        return name in self.texts

    def required(self, name: str) -> str:
        """Return the text of a field.

        Raises:
            InvalidRequest: It is blank.
        """
        text = self.optional(name)
        if text is None:
            raise InvalidRequest((name, REQUIRED))
        return text

    def second_factor(self) -> SecondFactorProof:
        """Return the one proof that was filled in.

        Raises:
            InvalidRequest: None was, or both, or it is not of its form.
        """
        match self.optional("code"), self.optional("backup_code"):
            case str(code), None:
                return TotpProof(typed.totp_code(code))
            case None, str(code):
                return codes.parse(code)
            case None, None:
                raise InvalidRequest(
                    ("backup_code" if self.has("backup_code") and not self.has("code") else "code", NEITHER)
                )
            case _:
                raise InvalidRequest(("code", EITHER))

    def proof(self) -> SecondFactorProof | Secret[str]:
        """Return the one proof that was filled in, which may be the password.

        Raises:
            InvalidRequest: None was, or several, or it is not of its form.
        """
        password = self.optional("password")
        if password is None:
            return self.second_factor()
        if self.optional("code") or self.optional("backup_code"):
            raise InvalidRequest(("password", EITHER))
        return typed.password(password)


def parse(body: bytes) -> Form:
    """Return the form that ``body`` is.

    Raises:
        InvalidRequest: It is none, or not UTF-8, or names a field twice, or holds a NUL.
    """
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise InvalidRequest(("form", "cannot be read")) from None
    texts = dict(pairs)
    if len(texts) != len(pairs):
        raise InvalidRequest(("form", "has a field twice"))
    if any("\0" in text for pair in pairs for text in pair):
        raise InvalidRequest(("form", "holds characters that are not text"))
    return Form(texts)
