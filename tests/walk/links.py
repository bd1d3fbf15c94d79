"""Following the links of mails: back with what was removed, and another password for whoever has forgotten theirs."""

import re

from walk.walker import Walker

THIRD_PASSWORD = "seven quiet herons count the tides"


def turn_on_again(way: Walker) -> None:
    """Undo that the second factor was turned off, as if that had been somebody else's doing."""
    way.go(address_in(way, "The second factor was turned off"))
    way.stop("undo", "This wasn’t me")
    way.press("Undo the removal")
    way.told("Two-step sign-in is on again")
    way.at("Sign in")


def forget_password(way: Walker) -> str:
    """Ask for a link, follow it, and return the password that was set by it; it works once."""
    way.follow("Forgot your password?")
    way.stop("password-forgotten", "Set a new password")
    way.press("Send the link")
    way.refused("Enter the user name.")
    way.type("User name", "ada")
    way.press("Send the link")
    way.told("a mail is on its way to it")
    link = address_in(way, "A new password for your account")
    way.go(link)
    way.stop("password-reset", "Set a new password")
    way.type("New password", "short")
    way.press("Set the password")
    way.refused("Use at least 15 characters.")
    way.type("New password", THIRD_PASSWORD)
    way.press("Set the password")
    way.told("Your new password is set")
    way.at("Sign in")
    way.go(link)
    way.stop("link-used", "This link is not in use")
    way.follow("Back to signing in")
    way.at("Sign in")
    return THIRD_PASSWORD


def address_in(way: Walker, subject: str) -> str:
    """Wait for the mail about something, and return where its link leads on this site."""
    wanted = re.compile(re.escape(way.service.address) + r"(/\S+\?token=\S+)")
    for _ in range(200):
        texts = [one.text() for one in way.service.office.deliveries if subject in str(one.message["Subject"])]
        found = wanted.search(texts[-1]) if texts else None
        if found is not None:
            return found[1]
        way.page.wait_for_timeout(100)
    raise AssertionError(f"no mail about this has a link: {subject}")
