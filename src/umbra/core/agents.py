"""Which browser a user agent says it is, in words; for people to recognise their own by. Pure."""

import re

BROWSERS = {
    "Edge": r"Edg(e|A|iOS)?/",
    "Opera": r"OPR/|Opera",
    "Samsung Internet": r"SamsungBrowser/",
    "Firefox": r"Firefox/|FxiOS/",
    "Chrome": r"Chrome/|CriOS/",
    "Safari": r"Safari/",
}
"""The first that is found counts: browsers name others behind themselves."""

SYSTEMS = {
    "iPhone": r"iPhone",
    "iPad": r"iPad",
    "Android": r"Android",
    "Windows": r"Windows",
    "macOS": r"Macintosh|Mac OS X",
    "ChromeOS": r"CrOS",
    "Linux": r"Linux|X11",
}


def named(user_agent: str | None) -> tuple[str | None, str | None]:
    """Return the browser and the system that a user agent names, as far as we know them."""
    return _first(BROWSERS, user_agent or ""), _first(SYSTEMS, user_agent or "")


def _first(names: dict[str, str], text: str) -> str | None:
    return next((name for name, pattern in names.items() if re.search(pattern, text)), None)
