"""What a ``User-Agent`` is called in a mail. Pure.

Whoever signs in chooses that header, and a thief would have our mail say "go to evil.example": so only names that we
know are said, or one word that no mail program makes a link of.
"""

import re

UNKNOWN = "an unknown program"

_BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
"""In this order: most browsers name the others too."""

_SYSTEMS = {
    "Windows": "Windows",
    "iPhone": "an iPhone",
    "iPad": "an iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}

_WORD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,31})(?:/|$)")


def called(user_agent: str | None) -> str:
    """Return what somebody would call the browser, or the program."""
    text = user_agent or ""
    browser = next((name for mark, name in _BROWSERS.items() if f"{mark}/" in text), None)
    if browser is None:
        word = _WORD.match(text)
        return word[1] if word and word[1] != "Mozilla" else UNKNOWN
    system = next((name for mark, name in _SYSTEMS.items() if mark in text), None)
    return f"{browser} on {system}" if system else browser
