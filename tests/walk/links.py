"""Following the links of mails: out with a stranger, and another password for whoever has forgotten theirs."""

import re

from walk.walker import Walker

THIRD_PASSWORD = "seven quiet herons count the tides"


def keep_a_stranger_out(way: Walker) -> None:
    """Follow the link of the mail about a new browser."""
    way.go(address_in(way, "/undo"))
    way.stop("undo", "This wasn’t me")
    way.press("End the sessions")
    way.told("That is done.")
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
    link = address_in(way, "/password/reset")
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


def address_in(way: Walker, page: str) -> str:
    """Wait for a mail with a link to a page, and return where it leads on this site."""
    wanted = re.compile(re.escape(way.service.address + page) + r"\?token=\S+")
    for _ in range(200):
        found: list[str] = [link for one in way.service.office.deliveries for link in wanted.findall(one.text())]
        if found:
            return found[-1].removeprefix(way.service.address)
        way.page.wait_for_timeout(100)
    raise AssertionError(f"no mail has a link to {page}")
