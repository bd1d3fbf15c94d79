"""Accounts: the first, one more, another password, another mail address."""

import re
from urllib.parse import quote_plus

from playwright.sync_api import expect

from walk.walker import Walker

ADDRESS, NEW_ADDRESS = "ada@example.org", "ada@new.example.org"
PASSWORD, NEW_PASSWORD = "correct horse battery staple 9", "seven brass otters sing at 4"


def make_the_first(way: Walker) -> None:
    way.go("/")
    way.stop("sign-in", "Sign in")
    way.go(f"/first-run?token=umf_{'x' * 43}")
    way.stop("first-run-over", "This address is not in use")
    way.page.goto(way.service.first_run)
    assert "umf_" not in way.page.url + way.page.content(), "the token stays in sight"
    way.stop("first-run", "Make the first account")
    way.type("User name", "ada")
    way.type("Mail address", ADDRESS)
    way.type("Password", "passwordpassword")
    way.press("Make the account")
    way.refused("This password is easy to guess.")
    way.stop("first-run-refused", "Make the first account")
    expect(way.page.get_by_label("User name")).to_have_value("ada")
    expect(way.page.get_by_label("Mail address")).to_have_value(ADDRESS)
    way.type("Password", PASSWORD)
    way.press("Make the account")
    way.told("The account is made.")
    way.stop("account-made", "Sign in")


def register(way: Walker) -> None:
    way.follow("Make one")
    way.stop("register", "Make an account")
    way.type("User name", "Ada")
    way.type("Password", PASSWORD)
    way.press("Make the account")
    way.refused("Another account has this user name.")
    way.stop("register-refused", "Make an account")
    way.type("User name", "grace")
    way.type("Password", PASSWORD)
    way.press("Make the account")
    way.told("Your account is made.")


def change_password(way: Walker, secret: str) -> str:
    """Change it, seeing what a script says of it, and that nothing of it leaves the page before the form does."""
    way.stop("account", "Account")
    form = "form[action='/security/password']"
    way.type("Current password", "not the password", form)
    way.type("New password", "short", form)
    way.type("Code from your app", "12345", form)
    way.press("Change the password")
    way.refused("Enter the six digits")
    way.stop("account-refused", "Account")
    before = len(way.watch.requests)
    if way.has_scripts:
        see_strength(way)
    way.type("Current password", PASSWORD, form)
    way.type("New password", NEW_PASSWORD, form)
    way.type("Code from your app", way.code(secret), form)
    assert before == len(way.watch.requests), way.watch.requests[before:]
    way.press("Change the password")
    way.told("Your password is changed")
    way.stop("password-changed", "Account")
    holding = [asked for asked in way.watch.requests if quote_plus(NEW_PASSWORD) in (asked.post_data or "")]
    assert ["/security/password"] == [asked.url.removeprefix(way.service.address) for asked in holding]
    assert not any("otters" in asked.url for asked in way.watch.requests), "the password is in an address"
    return NEW_PASSWORD


def prove_mail(way: Walker) -> None:
    """Have a code mailed, and type it, once wrongly."""
    way.stop("email-proof", "Confirm your mail address")
    way.press("Send me a code")
    way.stop("email-proof-code", "Confirm your mail address")
    way.type("Code from the mail", "0000-0000")
    way.press("Go on")
    way.refused("This code is not right")
    way.stop("email-proof-refused", "Confirm your mail address")
    way.type("Code from the mail", mailed_code(way, "Is this mail address yours?"))
    way.press("Go on")


def mailed_code(way: Walker, subject: str) -> str:
    """Wait for the mail with a subject, and read its code; each mail is read once."""
    office = way.service.office
    for _ in range(300):
        for mail in [one for one in office.deliveries if str(one.message["Subject"]).endswith(subject)]:
            found = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", mail.text())
            assert found is not None, mail.text()
            if found[0] not in way.read:
                way.read.append(found[0])
                return found[0]
        way.page.wait_for_timeout(100)
    raise AssertionError(f"no mail {subject!r} among {office.subjects()}")


def see_strength(way: Walker) -> None:
    strength = way.page.locator("#password-new_password-strength")
    expect(strength).to_be_hidden()
    for text, said in (("short", "Too short yet"), ("passwordpassword", "Easy to guess"), (NEW_PASSWORD, "Hard to")):
        way.type("New password", text)
        expect(strength).to_contain_text(said)
    way.album.stop(way.page, "account-strength")


def change_mail_address(way: Walker, password: str, secret: str) -> None:
    """Change it three days after a change of the second factor, when the last proof is old: it is given in place."""
    form = "form[action='/security/email']"
    way.type("Mail address", "no address", form)
    way.press("Change the mail address")
    way.refused("Enter a mail address such as")
    way.type("Mail address", NEW_ADDRESS, form)
    way.press("Change the mail address")
    way.refused("changed less than three days ago")
    way.stop("mail-address-stays", "Account")
    way.service.later(hours=73)
    way.go("/security/account")
    way.type("User name", "ada")
    way.type("Password", password)
    way.press("Sign in")
    way.type("Code from your app", way.code(secret))
    way.press("Sign in")
    way.at("Account")
    way.service.later(minutes=11)
    way.type("Mail address", NEW_ADDRESS, form)
    way.press("Change the mail address")
    way.stop("step-up-mail-address", "Confirm that it is you")
    way.type("Code from your app", way.code(secret))
    way.press("Go on")
    way.stop("email-proof-new", "Confirm your mail address")
    way.type("Code from the mail", mailed_code(way, "Is this mail address to be yours here?"))
    way.press("Go on")
    way.told("Your mail address is changed.")
    expect(way.page.locator(form).get_by_label("Mail address")).to_have_value(NEW_ADDRESS)
    expect(way.page).to_have_url(re.compile("/security/account"))
