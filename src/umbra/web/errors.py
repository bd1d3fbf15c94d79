from umbra.core.errors import Refused


class OriginRefused(Refused):
    """The browser says that another site sent this."""

    reason = "origin_refused"


class TooLarge(Refused):
    """The body is larger than any that we take."""

    reason = "too_large"


class UnsupportedMediaType(Refused):
    """The body is not of the media type that this address takes."""

    reason = "unsupported_media_type"


class MethodNotAllowed(Refused):
    """This address does not know that method."""

    reason = "method_not_allowed"
