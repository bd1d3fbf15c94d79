"""Authenticators and backup codes: added, named, removed, made anew, turned off."""

import re
from pathlib import Path

from playwright.sync_api import Dialog, expect

from walk import looks
from walk.accounts import PASSWORD, prove_mail
from walk.signing_in import with_password
from walk.walker import Walker

CODE = "Code that your app shows now"
FROM_APP = "Code from your app"


def set_up(way: Walker) -> tuple[str, list[str]]:
    """Add the first authenticator in three steps, and come away with its secret and the backup codes."""
    with_password(way)
    way.stop("security-off", "Security")
    run_out_of_time(way)
    way.type("Name", "Phone")
    way.press("Add an authenticator")
    prove_mail(way)
    way.stop("setup-1-key", "Add an authenticator")
    secret = way.scan()
    way.page.reload()
    assert secret == way.scan(), "another key after a reload"
    if way.has_scripts:
        way.touch("Copy the key")
        expect(way.page.get_by_role("button", name="Copied")).to_be_visible()
        assert secret == pasted(way).replace(" ", ""), "another key in the clipboard"
    way.follow("Next")
    way.stop("setup-2-code", "Type the code")
    way.type(CODE, "000 000")
    way.press("Switch it on")
    way.refused("This code is not right")
    way.stop("setup-2-code-refused", "Type the code")
    way.type(CODE, way.code(secret, minutes=2))
    way.press("Switch it on")
    way.refused("clock is ahead by about")
    way.stop("setup-2-clock-off", "Type the code")
    way.follow("Show the key again")
    assert secret == way.scan(), "another key after a wrong code"
    way.follow("Next")
    return secret, confirm(way, way.code(secret))


def run_out_of_time(way: Walker) -> None:
    way.press("Add an authenticator")
    prove_mail(way)
    way.follow("Next")
    way.service.later(minutes=11)
    way.type(CODE, "123456")
    way.press("Switch it on")
    way.refused("The set-up was not finished within ten minutes.")
    way.stop("setup-expired", "Security")
    way.press("Sign out")
    with_password(way)


def confirm(way: Walker, code: str) -> list[str]:
    other_tab = way.beside()
    other_tab.go("/security")
    way.type(CODE, code)
    way.press("Switch it on")
    way.told("Two-step sign-in is on")
    way.stop("setup-3-backup-codes", "Save your backup codes")
    codes = save_the_codes(way)
    other_tab.press("Sign out")
    expect(other_tab.page.get_by_role("alert")).to_contain_text("out of date")
    other_tab.stop("old-form-refused", "That did not work")
    other_tab.page.close()
    way.stop("security-on", "Security")
    way.press("Sign out")
    way.told("You are signed out.")
    way.stop("signed-out", "Sign in")
    return codes


def save_the_codes(way: Walker) -> list[str]:
    """Take the codes in each way that there is, and go on once they are saved."""
    codes = way.page.locator(".codes code").all_inner_texts()
    assert 10 == len(set(codes)), codes
    download(way, codes)
    print_them(way)
    if way.has_scripts:
        copy(way, codes)
        be_asked_before_leaving(way)
    way.touch("Done")
    way.at("Save your backup codes")
    way.tick("I have saved these codes")
    way.press("Done")
    return codes


def download(way: Walker, codes: list[str]) -> None:
    with way.page.expect_download() as download:
        way.hands.press(way.page.get_by_role("link", name="Download"))
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert codes == lines[-10:], lines
    assert lines[0].endswith(", ada"), lines
    assert re.fullmatch(r"(Umbra|Acme)-backup-codes\.txt", download.value.suggested_filename)


def print_them(way: Walker) -> None:
    looks.emulate(way.page, media="print")
    way.album.picture(way.page, "print")
    expect(way.page.locator("form.saved")).to_be_hidden()
    assert b"/Count 1" in way.page.pdf(format="A4"), "more than one page of paper"
    looks.emulate(way.page)


def copy(way: Walker, codes: list[str]) -> None:
    way.touch("Copy")
    expect(way.page.get_by_role("button", name="Copied")).to_be_visible()
    assert codes == pasted(way).split("\n"), "other codes in the clipboard"


def be_asked_before_leaving(way: Walker) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    way.page.once("dialog", stay)
    way.hands.press(way.page.locator(".brand"))
    way.at("Save your backup codes")
    assert ["beforeunload"] == asked, asked


def pasted(way: Walker) -> str:
    way.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=way.service.address)
    text: str = way.page.evaluate("navigator.clipboard.readText()")
    return text


def add_another(way: Walker, secret: str) -> str:
    """Add a second one when the last proof is old: a new one is asked for in place, and the name is kept."""
    way.unfold("Add another authenticator")
    way.type("Name", "phone", "#setup")
    way.press("Add an authenticator")
    way.refused("Another authenticator of yours has this name.")
    way.stop("name-refused", "Security")
    way.service.later(minutes=11)
    way.type("Name", "Tablet", "#setup")
    way.press("Add an authenticator")
    way.stop("step-up", "Confirm that it is you")
    way.type(FROM_APP, "000000")
    way.press("Go on")
    way.refused("This code is not right")
    way.stop("step-up-refused", "Confirm that it is you")
    way.type(FROM_APP, way.code(secret))
    way.press("Go on")
    way.at("Add an authenticator")
    added = way.scan()
    assert added != secret, "the same key for two devices"
    way.follow("Next")
    way.type(CODE, way.code(added))
    way.press("Switch it on")
    way.told("The authenticator is added")
    expect(way.page.get_by_role("heading", level=3)).to_have_text(["Phone", "Tablet"])
    return added


def rename(way: Walker) -> None:
    way.unfold("Rename Tablet")
    way.type("New name", "PHONE")
    way.press("Rename")
    way.refused("Another authenticator of yours has this name.")
    way.type("New name", "Old tablet")
    way.press("Rename")
    way.told("The authenticator has its new name.")
    expect(way.page.get_by_role("heading", level=3)).to_have_text(["Phone", "Old tablet"])


def remove(way: Walker, secret: str) -> None:
    """Take the first one away with a code of the second, and the second's name stays."""
    open_everything(way)
    way.stop("security-all-open", "Security")
    way.go("/security")
    way.unfold("Remove Old tablet")
    way.type(FROM_APP, "000000")
    way.press("Remove Old tablet")
    way.refused("This code is not right")
    way.stop("remove-refused", "Security")
    way.type(FROM_APP, way.code(secret))
    way.press("Remove Old tablet")
    way.told("The authenticator is removed.")
    expect(way.page.get_by_role("heading", level=3)).to_have_text(["Phone"])


def open_everything(way: Walker) -> None:
    while (closed := way.page.locator("details:not([open]) > summary").filter(visible=True)).count():
        closed.first.click()


def make_new_codes(way: Walker, secret: str, old: list[str]) -> list[str]:
    way.unfold("Make new codes")
    way.type("Password", "not the password")
    way.type(FROM_APP, way.code(secret))
    way.press("Make new codes")
    way.refused("This is not your password.")
    way.stop("new-codes-refused", "Security")
    way.type("Password", PASSWORD)
    way.type(FROM_APP, way.code(secret))
    way.press("Make new codes")
    way.stop("new-backup-codes", "Save your backup codes")
    codes = save_the_codes(way)
    assert not set(codes) & set(old), "an old code in the new set"
    way.go("/security/backup-codes")
    way.at("Security")
    expect(way.page.locator("#codes")).to_contain_text("10 of 10 left")
    return codes


def turn_off(way: Walker, password: str, codes: list[str]) -> None:
    way.follow("Security")
    way.unfold("Turn it off")
    give_backup_code(way, password, codes[0][:-1] + ("A" if codes[0][-1] != "A" else "B"))
    way.refused("backup code")
    way.stop("turn-off-refused", "Security")
    give_backup_code(way, password, codes[0])
    way.told("Two-step sign-in is off")
    way.stop("security-off-again", "Security")
    way.press("Sign out")
    with_password(way, password)
    way.at("Security")
    way.press("Sign out")


def give_backup_code(way: Walker, password: str, code: str) -> None:
    form = "form[action='/security/disable']"
    if not way.page.locator(form).get_by_label("Backup code").is_visible():
        way.unfold("Use a backup code instead", form)
    way.type("Password", password, form)
    way.type("Backup code", code, form)
    way.press("Turn off")
