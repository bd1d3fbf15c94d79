from umbra.core.errors import Refused


class NotEnabled(Refused):
    """The account has no confirmed authenticator."""

    reason = "not_enabled"


class NoSetupPending(Refused):
    """This session has begun no set-up, or it has expired."""

    reason = "no_setup_pending"


class LastAuthenticator(Refused):
    """Removing the last authenticator would turn the second factor off, which ``disable`` does."""

    reason = "last_authenticator"


class NameTaken(Refused):
    """Another authenticator of the account has that name."""

    reason = "name_taken"


class SecretsUnreadable(Exception):
    """No key opens any of the account's secrets: a fault of the server's, and never a way in."""
