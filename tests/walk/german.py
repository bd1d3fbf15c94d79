"""The longer words of another language, and times in the reader's own zone."""

from playwright.sync_api import expect

from walk.accounts import mailed_code
from walk.walker import Walker

MAILED = (
    "Ist das Ihre Mailadresse?",
    "Eine Authenticator-App wurde hinzugefügt",
    "Eine Anmeldung mit einem neuen Browser",
)
"""Mail is in the language of the browser that gave reason for it."""


def walk(way: Walker, password: str) -> None:
    german = way.elsewhere(locale="de-DE", timezone_id="Europe/Berlin")
    german.go("/security/account")
    german.type("Benutzername", "ada")
    german.type("Passwort", password)
    german.press("Anmelden")
    german.type("Neues Passwort", "kurz")
    german.stop("german-account", "Konto")
    german.follow("Sicherheit")
    german.press("Authenticator-App hinzufügen")
    german.press("Einen Code schicken")
    german.stop("german-email-proof-code", "Bestätigen Sie Ihre Mailadresse")
    german.type("Code aus der Mail", mailed_code(german, MAILED[0]))
    german.press("Weiter")
    german.stop("german-setup-1-key", "Authenticator-App hinzufügen")
    secret = german.scan()
    german.follow("Weiter")
    german.type("Code, den Ihre App jetzt zeigt", german.code(secret))
    german.press("Einschalten")
    german.stop("german-setup-3-backup-codes", "Bewahren Sie Ihre Ersatzcodes auf")
    german.tick("Ich habe diese Codes aufbewahrt")
    german.press("Fertig")
    german.stop("german-security-on", "Sicherheit")
    expect(german.page.locator("main time").first).not_to_contain_text("UTC")
    german.follow("Verlauf")
    german.stop("german-activity", "Verlauf")
    german.press("Abmelden")
    german.type("Benutzername", "ada")
    german.type("Passwort", password)
    german.press("Anmelden")
    german.stop("german-code", "Code eingeben")
    german.context.close()
