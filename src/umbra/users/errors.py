from umbra.core.errors import Refused


class UsernameTaken(Refused):
    """Another account has that name, whatever the case of its letters."""

    reason = "username_taken"


class OwnAccount(Refused):
    """Operators do that to other people's accounts; for their own they have what everybody has."""

    reason = "own_account"


class RegistrationClosed(Refused):
    """Accounts are made by the operator here."""

    reason = "registration_closed"
