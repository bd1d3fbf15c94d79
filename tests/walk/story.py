"""The whole way through the pages, from no account to a second factor that is off again, and what can happen on it."""

from umbra.mail.kinds import Kind
from walk import accounts, enrolment, german, links, operating, policy, sessions, signing_in
from walk.walker import Walker

MAILED = {
    Kind.AUTHENTICATOR_ADDED: "An authenticator app was added",
    Kind.AUTHENTICATOR_REMOVED: "An authenticator app was removed",
    Kind.BACKUP_CODE_USED: "A backup code was used",
    Kind.BACKUP_CODES_MADE: "New backup codes were made",
    Kind.EMAIL_CHANGED: "Your mail address was changed",
    Kind.EMAIL_PROOF: "Is this mail address yours?",
    Kind.EMAIL_PROOF_NEW: "Is this mail address to be yours here?",
    Kind.NEW_BROWSER: "A sign-in from a new browser",
    Kind.PASSWORD_CHANGED: "Your password was changed",
    Kind.PASSWORD_RESET: "A new password for your account",
    Kind.SECOND_FACTOR_DISABLED: "The second factor was turned off",
    Kind.SECOND_FACTOR_RESTORED: "Your second factor is back",
}
"""What the walk gives reason to tell of."""


def walk(way: Walker) -> None:
    policy.hold(way)
    accounts.make_the_first(way)
    accounts.register(way)
    phone, codes = enrolment.set_up(way)
    signing_in.with_code(way, phone)
    signing_in.with_backup_code(way, codes[0])
    signing_in.too_late(way, phone)
    signing_in.too_often(way, phone)
    tablet = enrolment.add_another(way, phone)
    enrolment.rename(way)
    enrolment.remove(way, tablet)
    codes = enrolment.make_new_codes(way, phone, old=codes)
    sessions.end_one(way, phone)
    sessions.end_others(way, phone)
    sessions.not_me(way, phone)
    password = accounts.change_password(way, phone)
    accounts.change_mail_address(way, password, phone)
    operating.look_after_others(way)
    enrolment.turn_off(way, password, codes)
    if way.has_scripts:
        german.walk(way, password)
    way.go("/sign-in")
    links.turn_on_again(way)
    password = links.forget_password(way)
    signing_in.wait_for_password(way)
    read_the_mail(way)
    lose_the_database(way, password)


def read_the_mail(way: Walker) -> None:
    """Find a mail about each thing that its owner should know, at the address that the account had by then."""
    office = way.service.office
    told = [*MAILED.values(), *(german.MAILED if way.has_scripts else ())]
    wanted = {f"Umbra: {subject}" for subject in told}
    for _ in range(200):
        if wanted <= set(office.subjects()):
            break
        way.page.wait_for_timeout(100)
    assert wanted == set(office.subjects()), wanted ^ set(office.subjects())
    recipients = dict.fromkeys(office.recipients())
    assert [accounts.ADDRESS, accounts.NEW_ADDRESS] == list(recipients), recipients


def lose_the_database(way: Walker, password: str) -> None:
    """Be told that it is out of reach; where it comes back, it goes on as if nothing had been."""
    way.go("/sign-in")
    way.service.later(minutes=30)
    with way.service.database.away():
        signing_in.with_password(way, password)
        way.refused("We cannot reach our database.")
        way.stop("database-away", "Sign in")
    if not way.service.database.settings:
        signing_in.with_password(way, password)
        way.at("Enter your code")
