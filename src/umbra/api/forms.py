"""What callers send. Types are strict and members known; what the text means is for core.typed to say."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from umbra.backup_codes import codes
from umbra.core import typed
from umbra.core.errors import InvalidRequest
from umbra.core.proof import SecondFactorProof, TotpProof
from umbra.core.secret import Secret


def _is_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    text.encode("utf-8")  # a lone surrogate is a ValueError too
    return text


Text = Annotated[str, AfterValidator(_is_text)]
Delivery = Literal["cookie", "token"]


class Form(BaseModel):
    """The common manner of all bodies."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True, frozen=True)


class RegisterForm(Form):
    username: Text
    password: Text
    email: Text | None = None


class LoginForm(Form):
    username: Text
    password: Text
    delivery: Delivery = "cookie"


class ProofForm(Form):
    code: Text | None = None
    backup_code: Text | None = None

    def second_factor(self) -> SecondFactorProof:
        """Return the one proof that was sent.

        Raises:
            InvalidRequest: None was, or both, or it is not of its form.
        """
        match self.code, self.backup_code:
            case str(code), None:
                return TotpProof(typed.totp_code(code))
            case None, str(code):
                return codes.parse(code)
            case _:
                raise InvalidRequest(("code", "send exactly one of code and backup_code"))


class VerifyForm(ProofForm):
    mfa_token: Text
    delivery: Delivery = "cookie"


class DisableForm(ProofForm):
    password: Text


class StepUpForm(ProofForm):
    password: Text | None = None

    def proof(self) -> SecondFactorProof | Secret[str]:
        """Return the one proof that was sent.

        Raises:
            InvalidRequest: None was, or several, or it is not of its form.
        """
        if self.password is None:
            return self.second_factor()
        if self.code is not None or self.backup_code is not None:
            raise InvalidRequest(("code", "send exactly one of code, backup_code and password"))
        return typed.password(self.password)


class SetupForm(Form):
    name: Text | None = None
    new_secret: bool = False


class ConfirmForm(Form):
    code: Text


class RenameForm(Form):
    name: Text


class RegenerateForm(Form):
    password: Text
    code: Text


class PasswordForm(Form):
    current_password: Text
    new_password: Text
    code: Text | None = None


class ResetRequestForm(Form):
    username: Text


class ResetForm(Form):
    token: Text
    new_password: Text


class UndoForm(Form):
    token: Text


class NothingForm(Form):
    """A call that needs no body takes an empty object as well."""
