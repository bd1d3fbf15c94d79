"""What a ``User-Agent`` is called in a mail. Pure.

Whoever signs in chooses that header, and a thief would have our mail say "go to evil.example": so only names that we
know are said, or one word that no mail program makes a link of.
"""

import re

from umbra.core import agents

UNKNOWN = "an unknown program"

_WORD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,31})(?:/|$)")


def called(user_agent: str | None) -> str:
    """Return what somebody would call the browser, or the program."""
    browser, system = agents.named(user_agent)
    if browser is None:
        word = _WORD.match(user_agent or "")
        return word[1] if word and word[1] != "Mozilla" else UNKNOWN
    return f"{browser} on {system}" if system else browser
