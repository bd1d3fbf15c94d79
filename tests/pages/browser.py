"""Walk through the pages with a real Chromium, at first with scripts off, and keep a picture of each page.

    make browse

starts ``umbra serve`` on a free port of this machine and goes from the first run to a second factor that is off
again; then, with scripts and in German, to what they add. On PostgreSQL the pages have a brand. QR codes are read off
the screen by zbarimg and codes computed by oathtool, neither of which knows us. Needs ``playwright`` (the package, none
of its browsers). Exits with non-zero at the first thing that is not as it should be.
"""

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
from playwright.sync_api import Dialog, Page, expect, sync_playwright

from support import postgres
from umbra.crypto.keyring import new_key

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "correct horse battery staple 9"
SIZES = {"wide": (1000, 800), "narrow": (360, 740), "narrowest": (320, 640)}
START_LINES = 20
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<circle cx="16" cy="16" r="15" fill="#8a2be2"/><path d="M9 23 16 8l7 15" fill="none" stroke="#fff" stroke-width="3"/>
</svg>"""
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class Walk:
    """A person's way through the pages, a picture at each stop."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self.pictures = pictures
        self.stops = 0
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if "Policy" in said.text else None)

    def stop(self, name: str, heading: str, *, opened: bool = False) -> None:
        """Be at the page with that heading, and take its picture in light and dark, wide and narrow."""
        self.at(heading)
        while opened and (closed := self.page.locator("details:not([open]) > summary").filter(visible=True)).count():
            closed.first.click()
        self.stops += 1
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            needed = self.page.evaluate("document.documentElement.scrollWidth")
            assert needed <= width, f"{name} is {needed} px wide on {width} px"
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)
                self.page.screenshot(path=self.pictures / f"{self.stops:02}-{name}-{size}-{scheme}.png", full_page=True)
        self.page.set_viewport_size({"width": SIZES["wide"][0], "height": SIZES["wide"][1]})
        self.page.emulate_media(color_scheme="light")
        sys.stdout.write(f"{self.stops:02} {name}\n")

    def type(self, label: str, text: str, within: str = "main") -> None:
        self.page.locator(within).get_by_label(label).filter(visible=True).fill(text)

    def press(self, name: str, within: str = "body") -> None:
        self.page.locator(within).get_by_role("button", name=name, exact=True).click()

    def unfold(self, name: str) -> None:
        self.page.locator("summary", has_text=name).first.click()

    def at(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def refused(self, text: str) -> None:
        """Be told at the head of the page, and in its title."""
        expect(self.page.get_by_role("alert")).to_contain_text(text)
        expect(self.page).to_have_title(re.compile("^Error: "))

    def password(self) -> None:
        self.type("User name", "ada")
        self.type("Password", PASSWORD)
        self.press("Sign in")

    def code(self, code: str) -> None:
        self.type("Code from your app", code)
        self.press("Sign in")

    def backup_code(self, code: str) -> None:
        self.page.get_by_role("link", name="Use a backup code instead").click()
        self.type("Backup code", code)
        self.press("Sign in")

    def scan(self) -> str:
        """Read the QR code off the screen, and return its secret, which must be the one in letters."""
        picture = self.pictures / "qr.png"
        self.page.locator("img.qr").screenshot(path=picture)
        scanned = _output("zbarimg", "-q", "--raw", str(picture))
        address = urlsplit(scanned)
        assert ("otpauth", "totp", "/Umbra:ada") == (address.scheme, address.netloc, address.path), scanned
        (secret,) = parse_qs(address.query)["secret"]
        assert secret == self.page.locator(".key").inner_text().replace(" ", "")
        assert scanned == self.page.get_by_role("link", name="Open it in your app").get_attribute("href")
        picture.unlink()
        return secret


def walk(way: Walk, first_run: str) -> None:
    """Go the whole way, from no account to a second factor that is off again."""
    base = "{0.scheme}://{0.netloc}".format(urlsplit(first_run))
    make_the_first_account(way, base, first_run)
    secret = set_up(way)
    spent, following = _codes(secret)
    backup_codes = confirm(way, base, spent)
    sign_in_with_code(way, following)
    sign_in_with_backup_code(way, following, backup_codes[0])
    add_another(way)
    look_around(way, base, backup_codes[2])
    change_the_account(way, base)
    look_after_others(way, base, backup_codes[3])
    use_up(way, base, backup_codes[4:])
    turn_off(way, base, used=backup_codes[0], unused=backup_codes[1])
    with_script = in_german(way, base)
    wait(way)
    count_down(with_script)
    assert with_script.complaints == [], with_script.complaints


def make_the_first_account(way: Walk, base: str, first_run: str) -> None:
    way.page.goto(base)
    way.stop("sign-in", "Sign in")
    way.page.goto(f"{base}/first-run?token=umf_{'x' * 43}")
    way.stop("first-run-over", "This address is not in use")
    way.page.goto(first_run)
    assert "umf_" not in way.page.url + way.page.content()
    way.stop("first-run", "Make the first account")
    way.type("User name", "ada")
    way.type("Mail address", "ada@example.org")
    way.type("Password", "passwordpassword")
    way.press("Make the account")
    way.refused("easy to guess")
    way.stop("first-run-refused", "Make the first account")
    expect(way.page.get_by_label("User name")).to_have_value("ada")
    way.type("Password", PASSWORD)
    way.press("Make the account")
    way.stop("account-made", "Sign in")


def set_up(way: Walk) -> str:
    way.password()
    way.stop("security-off", "Security")
    way.type("Name", "Phone")
    way.press("Add an authenticator")
    way.stop("setup-1-key", "Add an authenticator")
    secret = way.scan()
    way.page.reload()
    assert secret == way.scan(), "another key after a reload"
    way.page.get_by_role("link", name="Next").click()
    way.stop("setup-2-code", "Type the code")
    way.type("Code that your app shows now", "000 000")
    way.press("Switch it on")
    way.refused("This code is not right")
    way.stop("setup-2-code-refused", "Type the code")
    way.type("Code that your app shows now", _code_in(secret, minutes=2))
    way.press("Switch it on")
    way.refused("clock is ahead by about")
    way.stop("setup-2-clock-off", "Type the code")
    way.page.get_by_role("link", name="Show the key again").click()
    assert secret == way.scan(), "another key after a wrong code"
    way.page.get_by_role("link", name="Next").click()
    return secret


def confirm(way: Walk, base: str, code: str) -> list[str]:
    old = Walk(way.page.context.new_page(), way.pictures)
    old.page.goto(f"{base}/security")
    way.type("Code that your app shows now", code)
    way.press("Switch it on")
    way.stop("setup-3-backup-codes", "Save your backup codes")
    backup_codes = save_the_codes(way)
    old.stops = way.stops
    old.press("Sign out")
    old.refused("out of date")
    old.stop("old-form-refused", "That did not work")
    way.stops = old.stops
    old.page.close()
    way.stop("security-on", "Security")
    way.press("Sign out")
    way.stop("signed-out", "Sign in")
    return backup_codes


def save_the_codes(way: Walk) -> list[str]:
    """Take the codes in each way that needs no script, and go on once they are saved."""
    codes = way.page.locator(".codes code").all_inner_texts()
    assert 10 == len(set(codes)), codes
    with way.page.expect_download() as download:
        way.page.get_by_role("link", name="Download").click()
    saved = Path(download.value.path()).read_text().splitlines()
    assert codes == saved[-10:], saved
    assert download.value.suggested_filename in {"Umbra-backup-codes.txt", "Acme-backup-codes.txt"}
    way.page.emulate_media(media="print")
    way.page.screenshot(path=way.pictures / f"{way.stops:02}-print.png", full_page=True)
    assert b"/Count 1" in way.page.pdf(format="A4"), "more than one page of paper"
    way.page.emulate_media(media="screen")
    way.press("Done")
    way.at("Save your backup codes")
    way.page.get_by_label("I have saved these codes").check()
    way.press("Done")
    return codes


def sign_in_with_code(way: Walk, code: str) -> None:
    way.type("User name", "ada")
    way.type("Password", "not the password")
    way.press("Sign in")
    way.refused("The user name or the password is not right")
    way.stop("sign-in-refused", "Sign in")
    way.password()
    way.stop("code", "Enter your code")
    way.page.reload()
    way.code(f"{code[:3]} {code[3:]}")
    way.at("Security")
    way.press("Sign out")


def sign_in_with_backup_code(way: Walk, used_code: str, backup_code: str) -> None:
    way.password()
    way.code(used_code)
    way.refused("This code is not right")
    way.stop("code-refused", "Enter your code")
    way.page.get_by_role("link", name="Use a backup code instead").click()
    way.stop("backup-code", "Enter a backup code")
    way.type("Backup code", backup_code[:-1])
    way.press("Sign in")
    way.refused("Enter the 20 letters")
    way.stop("backup-code-refused", "Enter a backup code")
    way.type("Backup code", backup_code.lower())
    way.press("Sign in")
    expect(way.page.get_by_role("status")).to_have_text(re.compile("backup code"))
    expect(way.page.locator("#codes")).to_contain_text("9 of 10 left")
    way.stop("security-after-backup-code", "Security")


def add_another(way: Walk) -> None:
    way.unfold("Add another authenticator")
    way.type("Name", "phone", "#setup")
    way.press("Add an authenticator")
    way.refused("has this name")
    way.stop("name-refused", "Security")
    way.type("Name", "Tablet", "#setup")
    way.press("Add an authenticator")
    code = _codes(way.scan())[0]
    way.page.get_by_role("link", name="Next").click()
    way.type("Code that your app shows now", code)
    way.press("Switch it on")
    expect(way.page.get_by_role("status")).to_have_text(re.compile("added"))
    way.stop("security-all-open", "Security", opened=True)


def look_around(way: Walk, base: str, backup_code: str) -> None:
    way.page.get_by_role("link", name="Sessions").click()
    way.stop("one-session", "Where you are signed in")
    browser = way.page.context.browser
    assert browser is not None
    other = Walk(browser.new_context(java_script_enabled=False, user_agent=FIREFOX).new_page(), way.pictures)
    other.page.goto(base)
    other.password()
    other.backup_code(backup_code)
    other.at("Security")
    way.page.reload()
    way.stop("two-sessions", "Where you are signed in")
    way.page.get_by_role("button", name="End the session").click()
    expect(way.page.get_by_role("status")).to_have_text("The session has ended.")
    expect(way.page.locator("main")).not_to_contain_text("Firefox")
    other.page.reload()
    other.at("Sign in")
    way.page.get_by_role("link", name="Activity").click()
    expect(way.page.locator("main")).to_contain_text("A code that had been used before was tried")
    way.stop("activity", "Activity")
    way.page.get_by_role("link", name="This wasn’t me").first.click()
    way.stop("not-me", "This wasn’t me")
    way.press("End the other sessions and go on")
    expect(way.page.get_by_role("status")).to_have_text(re.compile("Now choose a new password"))


def change_the_account(way: Walk, base: str) -> None:
    way.stop("account", "Account")
    form = "form[action='/security/password']"
    way.type("Current password", "not the password", form)
    way.type("New password", "short", form)
    way.type("Code from your app", "12345", form)
    way.press("Change the password")
    way.refused("Enter the six digits")
    way.stop("account-refused", "Account")
    way.page.goto(f"{base}/security/step-up?next=/security/activity")
    way.stop("step-up", "Confirm that it is you")
    way.type("Code from your app", "000000")
    way.press("Go on")
    way.refused("This code is not right")
    way.stop("step-up-refused", "Confirm that it is you")


def use_up(way: Walk, base: str, backup_codes: list[str]) -> None:
    for code in backup_codes:
        way.page.goto(f"{base}/security/step-up")
        way.unfold("Use a backup code instead")
        way.type("Backup code", code)
        way.press("Go on")
    expect(way.page.locator("#codes")).to_contain_text("Make new ones soon")
    way.stop("few-backup-codes", "Security")


def look_after_others(way: Walk, base: str, backup_code: str) -> None:
    """Be the operator, whose account the first one is: find people, look, and do all that there is to do."""
    people = [f"person-{number:02}" for number in range(51)]
    for name in people:
        httpx.post(f"{base}/api/auth/register", json={"username": name, "password": PASSWORD}).raise_for_status()
    find_people(way, base)
    prove(way, base, backup_code)
    act_on(way, base, people[0])
    see_events_and_health(way)


def find_people(way: Walk, base: str) -> None:
    way.page.goto(f"{base}/security")
    expect(way.page.locator("main")).to_contain_text("No mail server is configured")
    way.stop("operator-security", "Security")
    way.page.get_by_role("link", name="Operator").click()
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
    way.page.goto(f"{base}/operator?search={'x' * 255}")
    way.refused("Enter at most 254 printable characters.")
    way.stop("operator-find-refused", "Accounts")
    way.page.goto(f"{base}/operator?search=ada")
    way.page.get_by_role("link", name="ada", exact=True).click()
    way.stop("operator-own-account", "ada")


def act_on(way: Walk, base: str, name: str) -> None:
    bob = Walk(_other_browser(way), way.pictures)
    bob.page.goto(base)
    _sign_in(bob, name)
    bob.at("Security")
    way.page.goto(f"{base}/operator?search={name}")
    way.page.get_by_role("link", name=name).click()
    way.stop("operator-account", name)
    act(way, "End all sessions", "End all sessions", name, "Every session of the account has ended.")
    bob.page.reload()
    bob.at("Sign in")
    act(way, "Disable", "Disable the account", name, "The account is disabled")
    _sign_in(bob, name)
    bob.refused("The user name or the password is not right.")
    act(way, "Enable", "Enable the account", name, "The account is enabled again.")
    give_a_second_factor(bob, name)
    way.page.reload()
    way.stop("operator-account-with-second-factor", name)
    act(way, "Reset the second factor", "Reset the second factor", name, "no second factor any more")
    bob.page.context.close()


def see_events_and_health(way: Walk) -> None:
    way.page.get_by_role("link", name="All events of this account").click()
    way.stop("operator-events-of-one", "Events")
    way.page.get_by_role("link", name="Show all accounts").click()
    way.stop("operator-events", "Events")
    way.page.get_by_label("Event").select_option("sign_in_code")
    way.page.get_by_label("Reason").select_option("replayed")
    way.press("Show")
    expect(way.page.locator("main")).to_contain_text("A code that had been used before was tried")
    way.stop("operator-events-filtered", "Events")
    way.page.get_by_role("link", name="Health").click()
    way.stop("operator-health", "Health")


def prove(way: Walk, base: str, backup_code: str) -> None:
    """Have a proof that is fresh; the walk is quicker than ten minutes, so nobody asks for one."""
    way.page.goto(f"{base}/security/step-up?next=/operator")
    way.unfold("Use a backup code instead")
    way.type("Backup code", backup_code)
    way.press("Go on")
    way.at("Accounts")


def act(way: Walk, link: str, heading: str, name: str, said: str) -> None:
    """Do something to an account, after having been asked whether it is meant."""
    way.page.get_by_role("link", name=link, exact=True).click()
    expect(way.page.locator("main")).to_contain_text(name)
    way.stop(f"operator-{heading.lower().replace(' ', '-')}", heading)
    way.press(heading)
    expect(way.page.get_by_role("status")).to_contain_text(said)
    way.stop(f"operator-{heading.lower().replace(' ', '-')}-done", name)


def give_a_second_factor(bob: Walk, name: str) -> None:
    _sign_in(bob, name)
    bob.press("Add an authenticator")
    secret = bob.page.locator(".key").inner_text().replace(" ", "")
    bob.page.get_by_role("link", name="Next").click()
    bob.type("Code that your app shows now", _codes(secret)[0])
    bob.press("Switch it on")
    bob.at("Save your backup codes")


def _sign_in(way: Walk, name: str) -> None:
    way.type("User name", name)
    way.type("Password", PASSWORD)
    way.press("Sign in")


def _other_browser(way: Walk) -> Page:
    browser = way.page.context.browser
    assert browser is not None
    page = browser.new_context(java_script_enabled=False, user_agent=FIREFOX).new_page()
    page.set_default_timeout(10_000)
    return page


def turn_off(way: Walk, base: str, used: str, unused: str) -> None:
    form = "form[action='/security/disable']"
    way.page.goto(f"{base}/security")
    way.unfold("Turn it off")
    for code in (used, unused):
        way.page.locator(form).locator("summary").click()
        way.type("Password", PASSWORD, form)
        way.type("Backup code", code, form)
        way.press("Turn off")
        if code == used:
            way.refused("This backup code is not right")
            way.stop("turn-off-refused", "Security")
            way.page.goto(f"{base}/security")
            way.unfold("Turn it off")
    expect(way.page.get_by_role("status")).to_have_text(re.compile("Two-step sign-in is off"))
    way.press("Sign out")
    way.password()
    way.at("Security")
    way.press("Sign out")


def wait(way: Walk) -> None:
    """Be told how long to wait after five wrong passwords."""
    for _ in range(6):
        way.type("User name", "ada")
        way.type("Password", "not the password")
        way.press("Sign in")
    way.refused("Wait 30 seconds")
    expect(way.page.get_by_role("alert")).to_contain_text("You can try again at ")
    way.stop("waiting", "Sign in")


def in_german(way: Walk, base: str) -> Walk:
    """Go through what scripts add: copies, times of one's own, a hint on a password, a question before leaving."""
    browser = way.page.context.browser
    assert browser is not None
    context = browser.new_context(locale="de-DE", timezone_id="Europe/Berlin")
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base)
    german = Walk(context.new_page(), way.pictures)
    german.page.set_default_timeout(10_000)
    german.stops = way.stops
    german.page.goto(f"{base}/security/account")
    german.type("Benutzername", "ada")
    german.type("Passwort", PASSWORD)
    german.press("Anmelden")
    german.at("Konto")
    strength = german.page.locator("#password-new_password-strength")
    for password, said in (("kurz", "Noch zu kurz"), ("passwordpassword", "Leicht zu erraten"), (PASSWORD, "Schwer")):
        german.type("Neues Passwort", password)
        expect(strength).to_contain_text(said)
    german.stop("german-account", "Konto")
    german.page.get_by_role("link", name="Sicherheit").click()
    german.press("Authenticator-App hinzufügen")
    german.press("Schlüssel kopieren")
    expect(german.page.get_by_role("button", name="Kopiert")).to_be_visible()
    secret = german.page.evaluate("navigator.clipboard.readText()").replace(" ", "")
    german.stop("german-setup-1-key", "Authenticator-App hinzufügen")
    german.page.get_by_role("link", name="Weiter").click()
    german.type("Code, den Ihre App jetzt zeigt", _codes(secret)[0])
    german.press("Einschalten")
    german.stop("german-setup-3-backup-codes", "Bewahren Sie Ihre Ersatzcodes auf")
    german.press("Kopieren")
    codes = german.page.locator(".codes code").all_inner_texts()
    expect(german.page.get_by_role("button", name="Kopiert")).to_be_visible()
    assert codes == german.page.evaluate("navigator.clipboard.readText()").split("\n")
    stay(german)
    german.page.get_by_label("Ich habe diese Codes aufbewahrt").check()
    german.press("Fertig")
    german.stop("german-security-on", "Sicherheit")
    expect(german.page.locator("time").first).not_to_contain_text("UTC")
    german.page.get_by_role("link", name="Verlauf").click()
    german.stop("german-activity", "Verlauf")
    for name, address, heading in (
        ("find", "/operator?search=person", "Konten"),
        ("account", "/operator/accounts/3", "person-01"),
        ("reset", "/operator/reset?account_id=3", "Zweiten Faktor zurücksetzen"),
        ("events", "/operator/events", "Ereignisse"),
        ("health", "/operator/health", "Zustand"),
    ):
        german.page.goto(base + address)
        german.stop(f"german-operator-{name}", heading)
    german.press("Abmelden")
    way.stops = german.stops
    return german


def stay(way: Walk) -> None:
    """Be asked before the codes are left, and stay."""
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    way.page.once("dialog", answer)
    way.page.locator(".brand").click()
    assert asked == ["beforeunload"], asked


def count_down(way: Walk) -> None:
    """See the time that is left go by."""
    way.type("Benutzername", "ada")
    way.type("Passwort", PASSWORD)
    way.press("Anmelden")
    expect(way.page.get_by_role("timer")).to_have_text(re.compile(r"^0:[0-3]\d$"))
    before = way.page.get_by_role("timer").inner_text()
    expect(way.page.get_by_role("timer")).not_to_have_text(before)
    way.stops += 1  # the one without script
    way.stop("german-waiting", "Anmelden")


def _codes(secret: str) -> list[str]:
    """Return the code of this half minute and that of the next, which is good already."""
    return _output("oathtool", "--totp", "-b", secret, "--window=1").split()


def _code_in(secret: str, *, minutes: int) -> str:
    """Return what an app shows whose clock is ahead."""
    return _output("oathtool", "--totp", "-b", secret, f"--now={minutes} minutes")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def served(data: Path, database_url: str | None) -> Iterator[str]:
    """Run the service, and yield the first-run address that it prints."""
    environment = {**os.environ, "UMBRA_DATA_DIR": str(data), "UMBRA_REGISTRATION": "open"}
    if database_url:
        (data / "logo.svg").write_text(LOGO)
        environment |= {"UMBRA_DATABASE_URL": database_url, "UMBRA_ENCRYPTION_KEYS": new_key().reveal()}
        environment |= {"UMBRA_BRAND_NAME": "Acme", "UMBRA_BRAND_ACCENT": "#8a2be2"}
        environment |= {"UMBRA_BRAND_LOGO": str(data / "logo.svg")}
    command = [str(Path(sys.executable).with_name("umbra")), "serve", "--migrate", "--port", str(_free_port())]
    with (data / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield _first_run_address(server, data / "log")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)


def _first_run_address(server: "subprocess.Popen[str]", log: Path) -> str:
    assert server.stdout is not None
    for _, line in zip(range(START_LINES), server.stdout, strict=False):
        if found := re.search(r"http://\S+/first-run\?token=\S+", line):
            _await(found[0])
            return found[0]
    raise RuntimeError(log.read_text())


def _await(address: str) -> None:
    """Wait until the server listens; it prints the address before it does."""
    parts = urlsplit(address)
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection((parts.hostname, parts.port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("the server does not listen")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def main() -> None:
    parser = argparse.ArgumentParser(description="Walk through the pages with Chromium.")
    parser.add_argument("pictures", type=Path, help="folder for the pictures")
    given = parser.parse_args()
    with postgres.running() as server:
        walked(given.pictures / "sqlite", None)
        walked(given.pictures / "postgresql", f"{server}/postgres")
    sys.stdout.write("all as it should be, on both databases\n")


def walked(pictures: Path, database_url: str | None) -> None:
    """Walk once on a service of its own."""
    pictures.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="umbra-pages-") as data,
        served(Path(data), database_url) as first_run,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_context(java_script_enabled=False).new_page()
        page.set_default_timeout(10_000)
        walk(Walk(page, pictures), first_run)
        chromium.close()


if __name__ == "__main__":
    main()
