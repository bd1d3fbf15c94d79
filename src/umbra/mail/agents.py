"""What a ``User-Agent`` is called in a mail. Pure.

Whoever signs in chooses that header, and a thief would have our mail say "go to evil.example": so only names that we
know are said, or one word that no mail program makes a link of.
"""

import re
from gettext import NullTranslations

from umbra.core import agents
from umbra.words import marked

UNKNOWN = marked("unknown program")

_WORD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,31})(?:/|$)")


def called(user_agent: str | None, words: NullTranslations) -> str:
    """Return what somebody would call the browser, or the program, in the language of ``words``."""
    browser, system = agents.named(user_agent)
    if browser is None:
        word = _WORD.match(user_agent or "")
        return word[1] if word and word[1] != "Mozilla" else words.gettext(UNKNOWN)
    if system is None:
        return browser
    return words.gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
