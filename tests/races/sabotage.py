"""Take each guard away, and see that its race test notices, on PostgreSQL: ``make sabotage``; on both: ``--both``.

A race test that has never failed proves nothing. Every entry changes a copy of the source, runs the tests that are
said to stand behind the guard, and demands that each of them turns red. Where two guards protect one thing, so that
no test can miss one of them, both are taken away together, and the name says so.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
sys.path.insert(0, str(ROOT / "tests"))

from support import postgres  # noqa: E402 - a script has no pytest to tell it where the tests are

TRIES = 10
"""A race may be won by luck."""

RACES, FAULTS = "tests/races", "tests/faults"
POSTGRESQL, SQLITE = "postgresql", "sqlite"

RESULT = re.compile(r"(?P<what>FAILED|ERROR) [^:]+::(?P<test>\w+)")


@dataclass(frozen=True)
class Cut:
    """A text that stands once in a file of the source, and what is put in its place."""

    file: str
    text: str
    instead: str = ""


@dataclass(frozen=True)
class Guard:
    """What keeps a promise under a race, how to take it away, and the tests that must notice."""

    name: str
    cuts: tuple[Cut, ...]
    tests: tuple[str, ...]
    where: str = RACES


ORDER_OF_STEPS = Cut(
    "totp/store.py",
    '            or_(AUTHENTICATORS.c.last_step.is_(None), AUTHENTICATORS.c.last_step < bindparam("step")),\n',
)
LEDGER = (
    Cut("totp/store.py", "and_(given, ~_DIGITS_ARE_DEAD)", "given"),
    Cut(
        "totp/store.py",
        ".on_conflict_do_nothing()",
        '.on_conflict_do_update(index_elements=["user_id", "code", "window"], set_={"purpose": "again"})',
    ),
)
HOLD = "            await users.hold(tx, me.user.id)\n"
FACTORS = "signin/secondfactor.py"
CONFIRM_HOLDS = Cut(FACTORS, HOLD + "            is_still_first", "            is_still_first")
RENEWED_ONCE = Cut("sessions/store.py", '            SESSIONS.c.token_hash == bindparam("old_token_hash"),\n')
UNSPENT_LINK = Cut("links/store.py", "_IS_UNSPENT = and_(LINKS.c.used_at.is_(None), LINKS", "_IS_UNSPENT = and_(LINKS")
NOTHING_TO_BRING_BACK = Cut("signin/mailed.py", "    if not removed:\n        raise LinkRefused\n")

CHARGE_A_CODE = (
    "        charged = await store.charge_code(tx, guess.user_id, cost, guess.client, guess.challenge, now)\n"
)
FIFTY_WRONG = (
    "test_of_fifty_wrong_codes_at_once_five_are_looked_at",
    "test_of_fifty_wrong_codes_at_once_from_a_known_browser_five_are_looked_at",
)

FAULT_GUARDS = (
    Guard(
        "what a right guess was charged is handed back when the server fails",
        (Cut("signin/guesses.py", "            for budget in self._budgets:\n", "            for budget in ():\n"),),
        (
            "test_a_connection_that_breaks_does_what_is_declared",
            "test_a_connection_that_an_administrator_ends_does_what_is_declared",
            "test_a_full_disk_does_what_is_declared",
        ),
        FAULTS,
    ),
    Guard(
        "on PostgreSQL a commit without an answer is no success",
        (
            Cut(
                "db/postgres.py",
                "            is_said = True\n        except _ERRORS as error:\n",
                "            is_said = True\n        except _ERRORS as error:\n"
                '            if command == "COMMIT":\n                return\n',
            ),
        ),
        ("test_a_connection_that_breaks_does_what_is_declared",),
        FAULTS,
    ),
    Guard(
        "on SQLite a commit that fails is no success",
        (Cut("db/sqlite.py", "                shared.lost = error\n                if", "                if"),),
        ("test_a_full_disk_does_what_is_declared",),
        FAULTS,
    ),
    Guard(
        "a code is charged and committed before it is looked at",
        (
            Cut(
                "signin/guesses.py",
                "    async with auth.db.unflushed() as tx:\n" + CHARGE_A_CODE,
                "    charged = Charged(attempts.totp_budget(guess.user_id), 1, 0)\n",
            ),
        ),
        ("test_a_process_that_is_killed_does_what_is_declared",),
        FAULTS,
    ),
    Guard(
        "a refused guess is written down on the disk, and its charge with it, before it is answered",
        (Cut("audit/store.py", "self._db.single()", "self._db.unflushed()"),),
        ("test_a_guess_that_was_answered_stays_charged_when_the_database_crashes",),
        FAULTS,
    ),
    Guard(
        "a refused guess that cannot be written down is not answered",
        (Cut("audit/store.py", "            if happened.reason is not None:\n                raise\n"),),
        ("test_whoever_guessed_wrong_is_told_nothing_that_is_not_written_down",),
        FAULTS,
    ),
    Guard(
        "a session that begins by a password alone is on the disk before it is answered",
        (Cut("signin/flows.py", "auth.db.single()", "auth.db.unflushed()"),),
        ("test_who_was_signed_in_stays_so_when_the_database_crashes",),
        FAULTS,
    ),
)
"""What keeps a promise when something goes wrong, on whichever database it does."""

GUARDS = (
    Guard(
        "the order of steps and the ledger of used codes, together",
        (ORDER_OF_STEPS, *LEDGER),
        (
            "test_one_code_signs_in_once_however_many_challenges_it_is_sent_with",
            "test_one_code_proves_one_session_anew_however_many_ask",
            "test_one_code_opens_one_door_of_all",
            "test_no_history_of_many_at_once_has_a_fault",
        ),
    ),
    Guard("the order of steps", (ORDER_OF_STEPS,), ("test_behind_a_later_code_an_earlier_one_is_refused",)),
    Guard("the ledger of used codes", LEDGER, ("test_digits_that_two_apps_show_are_accepted_once",)),
    Guard(
        "the order of steps, when it is read and when it is written",
        (ORDER_OF_STEPS, Cut("totp/flows.py", "after=one.last_step", "after=None")),
        ("test_a_used_code_stays_refused_when_its_record_is_cleaned_away",),
    ),
    Guard(
        "a backup code is unused when it is spent",
        (Cut("backup_codes/store.py", ", BACKUP_CODES.c.used_at.is_(None))\n        .values", ")\n        .values"),),
        ("test_one_backup_code_signs_in_once_however_many_challenges_it_is_sent_with",),
    ),
    Guard(
        "an account is held while it is asked whether it has an authenticator that an import would bring",
        (Cut("imports/flows.py", "    await users.hold(tx, user_id)\n"),),
        ("test_of_imports_at_once_one_brings_each_account_and_the_others_leave_it_alone",),
    ),
    Guard(
        "a challenge that is gone opens nothing",
        (
            Cut("signin/store.py", "    if not held:\n        raise ChallengeRefused\n\n\nasync def", "\n\nasync def"),
            Cut(
                "signin/store.py",
                "    if challenge is None:\n        moved,",
                "    if challenge is not None:\n"
                "        await tx.follow(_SPEND_CHALLENGE, challenge_id=challenge.id, now=now)\n"
                "        challenge = None\n"
                "    if challenge is None:\n        moved,",
            ),
        ),
        ("test_one_challenge_makes_one_session_though_two_proofs_are_right",),
    ),
    Guard(
        "a challenge bears five guesses",
        (Cut("challenge/store.py", "            CHALLENGES.c.guesses < MOST_GUESSES,\n"),),
        ("test_fifty_wrong_proofs_of_both_kinds_on_one_challenge_are_five_guesses",),
    ),
    Guard(
        "a challenge is held while a guess is charged to it",
        (Cut("challenge/store.py", "        .with_for_update()\n"),),
        ("test_fifty_wrong_proofs_of_both_kinds_on_one_challenge_are_five_guesses",),
    ),
    Guard(
        "a budget that has to wait is not charged",
        (Cut("attempts/store.py", "            where=_MAY_TRY,\n"),),
        (
            *FIFTY_WRONG,
            "test_of_fifty_wrong_backup_codes_at_once_five_are_looked_at",
            "test_of_fifty_wrong_passwords_at_once_from_one_address_five_are_looked_at",
        ),
    ),
    Guard(
        "a budget is compared in the statement that charges it, not before",
        (
            Cut("attempts/store.py", "            where=_MAY_TRY,\n"),
            Cut(
                "attempts/store.py",
                "    _, row = await tx.follow(_CHARGE,",
                "    await refuse_waiting(tx, budget, now)\n    _, row = await tx.follow(_CHARGE,",
            ),
            Cut(
                "signin/store.py",
                "    held, row = await tx.follow(_CHARGE_AND_FIND,",
                "    await attempts.refuse_waiting(tx, budget, now)\n    held, row = await tx.follow(_CHARGE_AND_FIND,",
            ),
            Cut(
                "signin/store.py",
                "        held, row = await tx.follow(chain,",
                "        await attempts.refuse_waiting(tx, known, now)\n        held, row = await tx.follow(chain,",
            ),
            Cut(
                "signin/store.py",
                "    held, row = await tx.follow(_CHARGE_BOTH,",
                "    await attempts.refuse_waiting(tx, budget, now)\n    held, row = await tx.follow(_CHARGE_BOTH,",
            ),
        ),
        (
            *FIFTY_WRONG,
            "test_the_last_chance_of_a_year_is_taken_once",
            "test_of_fifty_wrong_backup_codes_at_once_five_are_looked_at",
            "test_of_fifty_wrong_passwords_at_once_from_one_address_five_are_looked_at",
        ),
    ),
    Guard(
        "no clock is asked before the fifth wrong guess",
        (
            Cut(
                "attempts/store.py",
                'or_(ATTEMPTS.c.failures < FREE_FAILURES, ATTEMPTS.c.next_at <= bindparam("now"))',
                'ATTEMPTS.c.next_at <= bindparam("now")',
            ),
        ),
        ("test_four_wrong_codes_at_once_are_all_looked_at",),
    ),
    Guard(
        "a code is charged before it is looked at",
        (
            Cut(
                "signin/guesses.py",
                CHARGE_A_CODE,
                "        charged = Charged(attempts.totp_budget(guess.user_id), 0, 0)\n",
            ),
            Cut(
                "signin/guesses.py",
                ", charged, looking)\n    return Proven(guess",
                f", charged, looking)\n    async with auth.db.begin() as tx:\n{CHARGE_A_CODE}    return Proven(guess",
            ),
        ),
        FIFTY_WRONG,
    ),
    Guard(
        "a year that is used up is not charged",
        (
            Cut(
                "attempts/store.py",
                '    or_(_IS_YEAR_OVER, ATTEMPTS.c.chances + _chances <= bindparam("most_chances")),\n',
            ),
        ),
        ("test_the_last_chance_of_a_year_is_taken_once",),
    ),
    Guard(
        "a browser is known to the account that proved itself there",
        (Cut("browsers/store.py", 'BROWSERS.c.user_id == bindparam("user_id"), _PROVED, given', "_PROVED, given"),),
        ("test_a_browser_that_another_account_knows_has_no_guesses_of_its_own",),
    ),
    Guard(
        "a browser is known once a second factor was accepted from it",
        (Cut("browsers/store.py", "    BROWSERS.c.proved_at.is_not(None),\n)", ")"),),
        ("test_a_browser_that_has_proved_nothing_has_no_guesses_of_its_own",),
    ),
    Guard(
        "a browser is known to the name that proved itself there",
        (Cut("browsers/store.py", 'USERS.c.username_key == bindparam("username_key"), _PROVED', "_PROVED"),),
        ("test_a_browser_that_another_account_knows_has_no_guesses_of_its_own",),
    ),
    Guard(
        "a backup code is charged before it is looked at",
        (
            Cut("signin/guesses.py", "        await store.charge(tx, budget, guess.challenge, auth.clock.now())\n"),
            Cut(
                "signin/guesses.py",
                "    found = await backup_flows.match(slot, stored, proof)\n",
                "    found = await backup_flows.match(slot, stored, proof)\n"
                "    async with auth.db.begin() as tx:\n"
                "        await store.charge(tx, budget, guess.challenge, auth.clock.now())\n",
            ),
        ),
        ("test_of_fifty_wrong_backup_codes_at_once_five_are_looked_at",),
    ),
    Guard(
        "a password is charged before it is looked at",
        (
            Cut(
                "signin/passwords.py",
                "    budget, stored = await _charged(auth, folded(username), client, note)\n",
                "    budget = attempts.password_budget(folded(username), network_of(client.ip))\n"
                "    async with auth.db.read() as tx:\n        stored = await passwords.find(tx, folded(username))\n",
            ),
        ),
        ("test_of_fifty_wrong_passwords_at_once_from_one_address_five_are_looked_at",),
    ),
    Guard(
        "a set-up is confirmed once, and a token is renewed once, together",
        (
            Cut("totp/store.py", ", AUTHENTICATORS.c.confirmed_at.is_(None))\n        .values", ")\n        .values"),
            RENEWED_ONCE,
        ),
        ("test_one_set_up_is_confirmed_once_though_two_codes_are_right",),
    ),
    Guard(
        "confirm holds the account",
        (CONFIRM_HOLDS,),
        ("test_of_two_first_authenticators_confirmed_at_once_one_counts",),
    ),
    Guard(
        "confirm holds an account that is a host's",
        (CONFIRM_HOLDS,),
        ("test_no_sign_in_without_a_code_outlives_the_first_authenticator",),
    ),
    Guard(
        "confirm outdates what a sign-in has found",
        (
            Cut(
                FACTORS,
                "            if is_still_first:\n"
                "                await passwords.outdate_checks(auth, tx, me.user.id)\n",
            ),
        ),
        ("test_no_sign_in_by_password_alone_outlives_the_first_authenticator",),
    ),
    Guard(
        "an import outdates what a sign-in has found",
        (Cut("imports/flows.py", "    await passwords.outdate_checks(auth, tx, user_id)\n"),),
        ("test_no_sign_in_by_password_alone_outlives_an_import",),
    ),
    Guard(
        "whoever undoes a removal outdates what a sign-in has found",
        (Cut("signin/mailed.py", "    await passwords.outdate_checks(auth, tx, link.user.id)\n"),),
        ("test_no_sign_in_by_password_alone_outlives_the_undoing_of_a_removal",),
    ),
    Guard(
        "regenerate holds the account, its codes, and the count of guesses that it clears, together",
        (
            Cut("signin/store.py", "_MOVE = Chain(totp.moved, attempts.forgiven)", "_MOVE = Chain(totp.moved)"),
            Cut(
                FACTORS,
                HOLD + "            await backup_codes.hold_all(tx, me.user.id)\n"
                "            await guesses.spend(tx, proven, now)\n            await backup_codes.replace_all",
                "            await guesses.spend(tx, proven, now)\n            await backup_codes.replace_all",
            ),
        ),
        ("test_two_new_sets_at_once_leave_ten_codes_of_one_of_them",),
    ),
    Guard(
        "remove holds the account",
        (Cut(FACTORS, HOLD + "            await totp.refuse_last", "            await totp.refuse_last"),),
        ("test_of_two_authenticators_removed_at_once_one_stays",),
    ),
    Guard(
        "remove counts the authenticators again",
        (Cut(FACTORS, HOLD + "            await totp.refuse_last(tx, me.user.id)\n", HOLD),),
        ("test_of_two_authenticators_removed_at_once_one_stays",),
    ),
    Guard(
        "disable holds the account",
        (Cut(FACTORS, HOLD + "            await challenges.end_all", "            await challenges.end_all"),),
        ("test_no_challenge_outlives_the_second_factor",),
    ),
    Guard(
        "removing takes its locks in the order of signing in",
        (
            Cut(
                FACTORS,
                "            await totp.hold_all(tx, me.user.id)\n            await guesses.spend",
                "            await guesses.spend",
            ),
            Cut(
                FACTORS,
                "            await totp.hold_all(tx, me.user.id)\n            await backup_codes.hold_all",
                "            await backup_codes.hold_all",
            ),
        ),
        ("test_an_app_can_be_removed_in_the_moment_in_which_it_is_used",),
    ),
    Guard(
        "a token is renewed once",
        (RENEWED_ONCE,),
        ("test_one_token_is_renewed_once_though_two_codes_are_right",),
    ),
    Guard(
        "a sign-in holds the account",
        (Cut("passwords/store.py", "        .with_for_update(key_share=True)\n"),),
        (
            "test_an_account_has_a_hundred_open_challenges_and_no_more",
            "test_nothing_begun_with_the_old_password_outlives_its_change",
            "test_nothing_begun_outlives_the_disabling_of_the_account",
            "test_no_sign_in_by_password_alone_outlives_the_first_authenticator",
            "test_no_challenge_outlives_the_second_factor",
        ),
    ),
    Guard(
        "a sign-in holds the account before it asks whether a code is needed",
        (
            Cut(
                "signin/flows.py",
                "        await passwords.accept(tx, checked, now)\n"
                "        return await _admitted(auth, tx, checked.user, note, now, "
                "expects_code=checked.had_second_factor)\n",
                "        outcome = await _admitted(auth, tx, checked.user, note, now)\n"
                "        await passwords.accept(tx, checked, now)\n"
                "        return outcome\n",
            ),
        ),
        ("test_no_sign_in_without_a_code_outlives_the_first_authenticator",),
    ),
    Guard(
        "a sign-in that a host has accepted holds the account",
        (
            Cut(
                "users/store.py",
                '    .where(USERS.c.id == bindparam("user_id"), USERS.c.disabled_at.is_(None))\n'
                "    .with_for_update(key_share=True)\n",
                '    .where(USERS.c.id == bindparam("user_id"), USERS.c.disabled_at.is_(None))\n',
            ),
        ),
        ("test_no_sign_in_without_a_code_outlives_the_first_authenticator",),
    ),
    Guard(
        "a sign-in asks whether the password is still the one that was checked",
        (Cut("passwords/store.py", '            USERS.c.password_version == bindparam("version"),\n'),),
        ("test_nothing_begun_with_the_old_password_outlives_its_change",),
    ),
    Guard(
        "a sign-in asks whether the account is still let in",
        (
            Cut(
                "passwords/store.py",
                'bindparam("version"),\n            USERS.c.disabled_at.is_(None),',
                'bindparam("version"),',
            ),
        ),
        ("test_nothing_begun_outlives_the_disabling_of_the_account",),
    ),
    Guard(
        "another hash of the same password is no other password",
        (
            Cut(
                "passwords/store.py",
                ".values(password_hash=password_hash))",
                ".values(password_hash=password_hash, password_version=USERS.c.password_version + 1))",
            ),
        ),
        ("test_two_sign_ins_at_once_both_get_in_though_the_password_is_hashed_anew",),
    ),
    Guard(
        "an operator's own account is held as well, before it is asked whether they still are one",
        (Cut("signin/operating.py", "await _hold(tx, me.user.id, user_id)", "await _hold(tx, user_id)"),),
        ("test_of_two_operators_who_disable_each_other_one_is_left",),
    ),
    Guard(
        "the first-run token is taken by one, and there is nobody yet, together",
        (
            Cut(
                "signin/account.py",
                "            if not await state.take(tx, FIRST_RUN, token_hash) or await users.is_anybody_there(tx):\n"
                "                raise NotFound\n",
                "            await state.take(tx, FIRST_RUN, token_hash)\n",
            ),
        ),
        ("test_the_first_run_token_makes_one_account_however_many_use_it",),
    ),
    Guard(
        "a first run finds nobody there",
        (Cut("signin/account.py", " or await users.is_anybody_there(tx):", ":"),),
        ("test_a_server_that_starts_meanwhile_opens_no_second_first_run",),
    ),
    Guard(
        "a link of a mail is unspent when it is spent",
        (UNSPENT_LINK,),
        ("test_one_link_sets_one_password_however_many_send_it",),
    ),
    Guard(
        "a link is unspent when it is spent, and what was removed is there to be brought back, together",
        (UNSPENT_LINK, NOTHING_TO_BRING_BACK),
        ("test_a_removal_is_undone_once_however_many_ask",),
    ),
    Guard(
        "what was removed is there to be brought back",
        (NOTHING_TO_BRING_BACK,),
        ("test_an_undo_that_meets_the_clean_up_is_done_or_refused_and_never_half",),
    ),
    Guard(
        "a reset makes the other links to one worthless",
        (Cut("signin/mailed.py", "            await links.void(tx, link.user.id, Purpose.RESET_PASSWORD)\n"),),
        ("test_of_two_links_that_are_used_at_once_one_sets_the_password",),
    ),
    Guard(
        "an account is held while its mails of the last hour are counted",
        (
            Cut(
                "users/store.py",
                "    row = (await tx.execute(wanted.with_for_update(key_share=True))).one_or_none()\n"
                "    return None if row is None else _account(row)\n\n\nasync def by_name",
                "    row = (await tx.execute(wanted)).one_or_none()\n"
                "    return None if row is None else _account(row)\n\n\nasync def by_name",
            ),
        ),
        ("test_three_mails_an_hour_go_to_one_account_however_many_ask",),
    ),
    Guard(
        "a mail is claimed while nobody else has it",
        (
            Cut(
                "mail/store.py",
                '_DUE.scalar_subquery(), OUTBOX.c.next_attempt_at <= bindparam("now"))',
                "_DUE.scalar_subquery())",
            ),
        ),
        ("test_one_mail_is_sent_once_however_many_servers_send",),
    ),
    Guard(
        "a browser is new to an account once",
        (Cut("browsers/store.py", '            where=BROWSERS.c.known_until <= bindparam("now"),\n'),),
        ("test_one_new_browser_is_told_of_once_however_many_sign_ins_come_from_it",),
    ),
    Guard(
        "the head of the audit log's chain is moved by one of those who seal",
        (Cut("db/state.py", ', STATE.c.value == bindparam("old"))', ")"),),
        ("test_of_many_who_seal_at_once_nobody_breaks_the_chain",),
    ),
    Guard(
        "the head of the chain is read before the events that go behind it",
        (
            Cut(
                "audit/flows.py",
                "        head = await _head(auth)  # before the events: whoever seals them meanwhile moves it\n"
                "        async with auth.db.read() as tx:\n"
                "            events = await store.unsealed(tx)\n",
                "        async with auth.db.read() as tx:\n"
                "            events = await store.unsealed(tx)\n"
                "        head = await _head(auth)\n",
            ),
        ),
        ("test_of_many_who_seal_at_once_nobody_breaks_the_chain",),
    ),
    Guard(
        "a mailed code is used once",
        (
            Cut(
                "email_proofs/store.py",
                "EMAIL_PROOFS.c.code_hash == mailed.code_hash, _waits(now))",
                "EMAIL_PROOFS.c.code_hash == mailed.code_hash)",
            ),
        ),
        ("test_one_mailed_code_counts_once_however_many_requests_carry_it",),
    ),
    Guard(
        "a guess at a mailed code is charged to the account before it is looked at",
        (Cut("signin/addresses.py", "                await attempts.charge(tx, budget, now)\n"),),
        ("test_of_fifty_wrong_mailed_codes_at_once_five_are_looked_at",),
    ),
    Guard(
        "the account is held while mails with a code are counted",
        (
            Cut(
                "signin/addresses.py",
                "        await users.hold(tx, me.user.id)\n        if to is not None:\n",
                "        if to is not None:\n",
            ),
        ),
        ("test_codes_are_mailed_five_times_however_many_sessions_ask",),
    ),
    Guard(
        "clean-up takes only what is past its life",
        (
            Cut(
                "challenge/store.py",
                "CHALLENGES.c.id, CHALLENGES.c.expires_at <= now, limit",
                "CHALLENGES.c.id, CHALLENGES.c.id > 0, limit",
            ),
        ),
        ("test_two_clean_ups_at_once_delete_everything_old_and_disturb_no_sign_in",),
    ),
    Guard(
        "a keyring looks at its file again",
        (
            Cut(
                "crypto/keyring.py",
                "            if not self._refresh():\n                raise\n",
                "            raise\n",
            ),
        ),
        ("test_sign_ins_go_on_while_keys_are_rotated_and_the_old_key_taken_away",),
    ),
)


HIDDEN_ON_SQLITE = frozenset(
    {
        "the ledger of used codes",
        "an account is held while it is asked whether it has an authenticator that an import would bring",
        "a challenge is held while a guess is charged to it",
        "a budget is compared in the statement that charges it, not before",
        "a set-up is confirmed once, and a token is renewed once, together",
        "confirm holds the account",
        "confirm holds an account that is a host's",
        "confirm outdates what a sign-in has found",
        "an import outdates what a sign-in has found",
        "whoever undoes a removal outdates what a sign-in has found",
        "regenerate holds the account, its codes, and the count of guesses that it clears, together",
        "remove holds the account",
        "disable holds the account",
        "removing takes its locks in the order of signing in",
        "a sign-in holds the account",
        "a sign-in holds the account before it asks whether a code is needed",
        "a sign-in that a host has accepted holds the account",
        "a sign-in asks whether the account is still let in",
        "an operator's own account is held as well, before it is asked whether they still are one",
        "a first run finds nobody there",
        "a mail is claimed while nobody else has it",
        "an account is held while its mails of the last hour are counted",
        "the account is held while mails with a code are counted",
    }
)
"""Guards that no test can miss on SQLite: a transaction that writes has the file's lock from its beginning, so that
what they keep apart never meets, or only in a moment between reading and writing in which no test holds a crowd."""


def mistakes() -> list[str]:
    """Say what in this file does not fit the source any more."""
    everything = (*FAULT_GUARDS, *GUARDS)
    counts = {
        cut: (SOURCE / "umbra" / cut.file).read_text().count(cut.text) for guard in everything for cut in guard.cuts
    }
    unfit = [
        f"{cut.file} holds this {count} times, not once:\n{cut.text}" for cut, count in counts.items() if count != 1
    ]
    unknown = sorted(HIDDEN_ON_SQLITE - {guard.name for guard in GUARDS})
    return unfit + [f"there is no such guard: {name}" for name in unknown]


def main(databases: Sequence[str]) -> int:
    """Try every guard on these databases, then the source as it is, and return the exit code."""
    if wrong := mistakes():
        _say("\n".join(wrong))
        return 1
    started = time.monotonic()
    tried = [(guard, "") for guard in FAULT_GUARDS]
    tried += [
        (guard, database)
        for database in databases
        for guard in GUARDS
        if database == POSTGRESQL or guard.name not in HIDDEN_ON_SQLITE
    ]
    with postgres.running() as address:
        unnoticed = [guard.name for guard, database in tried if not _is_noticed(guard, address, database)]
        red = [database for database in ("", *databases) if not _is_green(tried, address, database)]
    _say(f"{len(tried) - len(unnoticed)} of {len(tried)} guards are noticed, {time.monotonic() - started:.0f} s")
    return 1 if red or unnoticed else 0


def _is_noticed(guard: Guard, address: str, database: str) -> bool:
    """Take a guard away, and say whether each of its tests turned red."""
    green = set(guard.tests)
    with _without(guard) as source:
        for _ in range(TRIES):
            green -= _failed(_run(sorted(green), source, address, database, guard.where))
            if not green:
                break
    for test in guard.tests:
        _say(f"{'GREEN' if test in green else 'red'}  {guard.name}  by {test}  {database}")
    return not green


def _is_green(tried: Sequence[tuple[Guard, str]], address: str, database: str) -> bool:
    """Say whether all of these tests pass on the source as it is."""
    guards = [guard for guard, on in tried if on == database]
    tests = sorted({test for guard in guards for test in guard.tests})
    done = _run(tests, SOURCE, address, database, guards[0].where)
    failed = _failed(done)
    for test in tests:
        _say(f"{'RED' if test in failed else 'green'}  with every guard  {test}  {database}")
    if failed:
        _say(done.stdout)
    return not failed


@contextlib.contextmanager
def _without(guard: Guard) -> Iterator[Path]:
    """Copy the source, and take the guard out of the copy."""
    with tempfile.TemporaryDirectory(prefix="umbra-sabotage-") as folder:
        shutil.copytree(SOURCE / "umbra", Path(folder) / "umbra")
        for cut in guard.cuts:
            file = Path(folder) / "umbra" / cut.file
            file.write_text(file.read_text().replace(cut.text, cut.instead))
        yield Path(folder)


def _run(tests: list[str], source: Path, address: str, database: str, where: str) -> subprocess.CompletedProcess[str]:
    """Run tests on one database, or where they choose it themselves, against ``source``."""
    environment = os.environ | {
        "PYTHONPATH": str(source),
        "UMBRA_TEST_SOURCE": str(source),
        "UMBRA_TEST_POSTGRES": address,
    }
    chosen = f"{f'{database} and ' if database else ''}({' or '.join(tests)})"
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-k", chosen, where]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _failed(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the tests that failed.

    A test that could not run has noticed nothing: that is a fault of this script's.
    """
    results = [match for line in done.stdout.splitlines() if (match := RESULT.match(line))]
    if done.returncode not in {0, 1} or any(result["what"] == "ERROR" for result in results):
        raise RuntimeError(done.stdout + done.stderr)
    return {result["test"] for result in results}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main((POSTGRESQL, SQLITE) if "--both" in sys.argv else (POSTGRESQL,)))
