from umbra.core.errors import Refused


class CredentialsRefused(Refused):
    """Unknown user, wrong password, or disabled account: one answer for all."""

    reason = "credentials_refused"

    def __init__(self, cause: str) -> None:
        super().__init__(self.reason)
        self._cause = cause

    @property
    def cause(self) -> str:
        """One of ``wrong``, ``unknown_user``, ``disabled``, ``superseded`` (the account changed meanwhile)."""
        return self._cause


class PasswordRefused(Refused):
    """The new password is too short, too long, too guessable, or made of the user name; ``why`` says which."""

    reason = "password_refused"

    def __init__(self, why: str) -> None:
        super().__init__(self.reason)
        self.why = why
