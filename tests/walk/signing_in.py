"""Signing in, and what keeps people from it."""

import re

from playwright.sync_api import expect

from walk.accounts import PASSWORD
from walk.walker import Walker


def with_password(way: Walker, password: str = PASSWORD) -> None:
    way.type("User name", "ada")
    way.type("Password", password)
    way.press("Sign in")


def give_code(way: Walker, code: str) -> None:
    way.type("Code from your app", code)
    way.press("Sign in")


def with_code(way: Walker, secret: str) -> None:
    """Sign in with a code as it is pasted, once; the same code opens nothing more."""
    way.type("User name", "ada")
    way.type("Password", "not the password")
    way.press("Sign in")
    way.refused("The user name or the password is not right.")
    way.stop("sign-in-refused", "Sign in")
    with_password(way)
    way.stop("code", "Enter your code")
    way.page.reload()
    code = way.code(secret)
    way.paste("Code from your app", f" {code[:3]} {code[3:]} ")
    way.press("Sign in")
    way.at("Security")
    way.press("Sign out")
    with_password(way)
    give_code(way, code)
    way.refused("This code is not right, or no longer good.")
    way.stop("code-replayed", "Enter your code")


def with_backup_code(way: Walker, backup_code: str) -> None:
    way.follow("Use a backup code instead")
    way.stop("backup-code", "Enter a backup code")
    way.type("Backup code", backup_code[:-1])
    way.press("Sign in")
    way.refused("Enter the 20 letters")
    way.stop("backup-code-refused", "Enter a backup code")
    way.type("Backup code", backup_code.lower())
    way.press("Sign in")
    way.told("You signed in with a backup code")
    expect(way.page.locator("#codes")).to_contain_text("9 of 10 left")
    way.stop("security-after-backup-code", "Security")
    way.press("Sign out")


def too_late(way: Walker, secret: str) -> None:
    """Take longer for the code than a challenge lives, with its cookie still there, and without."""
    with_password(way)
    way.service.later(minutes=6)
    give_code(way, way.code(secret))
    way.refused("This sign-in took too long")
    way.stop("challenge-expired", "Sign in")
    way.go("/sign-in/code")
    way.at("Sign in")


def too_often(way: Walker, secret: str) -> None:
    """Have to wait after five wrong codes in a row, see the time go by, and then get in."""
    with_password(way)
    for _ in range(6):
        give_code(way, "000000")
    way.refused("There were too many wrong attempts. Wait")
    see_time_go_by(way)
    way.stop("code-waiting", "Enter your code")
    way.service.later(seconds=31)
    give_code(way, way.code(secret))
    way.at("Security")


def wait_for_password(way: Walker) -> None:
    """Be told how long to wait after five wrong passwords."""
    for _ in range(6):
        with_password(way, "not the password")
    way.refused("There were too many wrong attempts. Wait")
    see_time_go_by(way)
    way.stop("password-waiting", "Sign in")


def see_time_go_by(way: Walker) -> None:
    expect(way.page.get_by_role("alert")).to_contain_text("You can try again at ")
    if way.has_scripts:
        timer = way.page.get_by_role("timer")
        expect(timer).to_have_text(re.compile(r"^0:[0-3]\d$"))
        expect(timer).not_to_have_text(timer.inner_text())
