"""Being the operator, whose account the first one is: to find people, to look, and to do all that there is to do."""

import httpx
from playwright.sync_api import expect

from walk.accounts import PASSWORD
from walk.sessions import FIREFOX
from walk.walker import Walker

PEOPLE = [f"person-{number:02}" for number in range(51)]
"""One more than a page shows."""


def look_after_others(way: Walker) -> None:
    with httpx.Client(base_url=f"{way.service.address}/api/auth", trust_env=False, timeout=30) as client:
        for name in PEOPLE:
            client.post("/register", json={"username": name, "password": PASSWORD}).raise_for_status()
    find_people(way)
    act_on(way, PEOPLE[0])
    see_events_and_health(way)


def find_people(way: Walker) -> None:
    way.follow("Operator")
    way.stop("operator-find", "Accounts")
    for typed, name, said in (
        ("zz", "none", "No user name and no mail address begins like that."),
        ("PERSON-07", "one", "person-07"),
        ("person", "many", "These are the first 50."),
    ):
        way.type("Find an account", typed)
        way.press("Find")
        expect(way.page.locator("main")).to_contain_text(said)
        way.stop(f"operator-find-{name}", "Accounts")
    way.go(f"/operator?search={'x' * 255}")
    way.refused("Enter at most 254 printable characters.")
    way.stop("operator-find-refused", "Accounts")
    way.go("/operator?search=ada")
    way.follow("ada")
    way.stop("operator-own-account", "ada")


def act_on(way: Walker, name: str) -> None:
    other = way.elsewhere(user_agent=FIREFOX)
    other.go("/")
    sign_in(other, name)
    other.at("Security")
    way.go(f"/operator?search={name}")
    way.follow(name)
    way.stop("operator-account", name)
    act(way, "End all sessions", "End all sessions", name, "Every session of the account has ended.")
    other.page.reload()
    other.at("Sign in")
    act(way, "Disable", "Disable the account", name, "The account is disabled")
    sign_in(other, name)
    other.refused("The user name or the password is not right.")
    act(way, "Enable", "Enable the account", name, "The account is enabled again.")
    give_a_second_factor(other, name)
    way.page.reload()
    way.stop("operator-account-with-second-factor", name)
    act(way, "Reset the second factor", "Reset the second factor", name, "no second factor any more")
    other.context.close()


def act(way: Walker, link: str, heading: str, name: str, said: str) -> None:
    """Do something to an account, after having been asked whether it is meant."""
    way.follow(link)
    expect(way.page.locator("main")).to_contain_text(name)
    way.stop(f"operator-{heading.lower().replace(' ', '-')}", heading)
    way.press(heading)
    way.told(said)


def see_events_and_health(way: Walker) -> None:
    way.follow("All events of this account")
    way.stop("operator-events-of-one", "Events")
    way.follow("Show all accounts")
    way.stop("operator-events", "Events")
    way.page.get_by_label("Event").select_option("sign_in_code")
    way.page.get_by_label("Reason").select_option("replayed")
    way.press("Show")
    expect(way.page.locator("main")).to_contain_text("A code that had been used before was tried")
    way.stop("operator-events-filtered", "Events")
    way.follow("Health")
    way.stop("operator-health", "Health")
    way.go("/security/account")


def give_a_second_factor(other: Walker, name: str) -> None:
    sign_in(other, name)
    other.press("Add an authenticator")
    secret = other.page.locator(".key").inner_text().replace(" ", "")
    other.follow("Next")
    other.type("Code that your app shows now", other.code(secret))
    other.press("Switch it on")
    other.at("Save your backup codes")


def sign_in(way: Walker, name: str) -> None:
    way.type("User name", name)
    way.type("Password", PASSWORD)
    way.press("Sign in")
