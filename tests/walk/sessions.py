"""Where one is signed in, what has happened, and what to do if it was somebody else."""

from playwright.sync_api import expect

from walk.signing_in import give_code, with_password
from walk.walker import Walker

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def signed_in_elsewhere(way: Walker, secret: str) -> Walker:
    """Be signed in with another browser, which nobody has seen yet."""
    other = way.elsewhere(user_agent=FIREFOX)
    other.go("/")
    with_password(other)
    give_code(other, other.code(secret))
    other.at("Security")
    return other


def end_one(way: Walker, secret: str) -> None:
    way.follow("Sessions")
    way.stop("one-session", "Where you are signed in")
    other = signed_in_elsewhere(way, secret)
    way.page.reload()
    way.stop("two-sessions", "Where you are signed in")
    way.press("End the session from 127.0.0.1")
    way.told("The session has ended.")
    expect_to_be_out(way, other)


def end_others(way: Walker, secret: str) -> None:
    other = signed_in_elsewhere(way, secret)
    way.page.reload()
    way.press("End all others")
    way.told("Your other sessions have ended.")
    expect_to_be_out(way, other)


def not_me(way: Walker, secret: str) -> None:
    """Find a sign-in that was somebody else's, end theirs, and be led to a new password."""
    other = signed_in_elsewhere(way, secret)
    way.follow("Activity")
    way.stop("activity", "Activity")
    way.follow("Older")
    expect(way.page.locator("main")).to_contain_text("A code that had been used before was tried")
    way.stop("activity-older", "Activity")
    way.follow("This wasn’t me")
    way.stop("not-me", "This wasn’t me")
    way.press("End the other sessions and go on")
    way.told("Now choose a new password")
    expect_to_be_out(way, other)


def expect_to_be_out(way: Walker, other: Walker) -> None:
    expect(way.page.locator("main")).not_to_contain_text("Firefox")
    other.page.reload()
    other.at("Sign in")
    other.context.close()
