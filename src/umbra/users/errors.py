from umbra.core.errors import Refused


class UsernameTaken(Refused):
    """Another account has that name, whatever the case of its letters."""

    reason = "username_taken"


class RegistrationClosed(Refused):
    """Accounts are made by the operator here."""

    reason = "registration_closed"
