from umbra.core.errors import Refused


class LinkRefused(Refused):
    """The link of a mail is unknown, used or out of date: one answer for all."""

    reason = "link_refused"
