"""What the links in mails do: whoever reads an account's mail sets its password anew, or keeps a stranger out.

None of them signs anybody in, and none takes a second factor away. A link is looked at before anything is hashed for
whoever sends it, and spent in the transaction that does what it is for.
"""

from umbra.attempts import store as attempts
from umbra.auth import Auth
from umbra.backup_codes import store as backup_codes
from umbra.browsers import store as browsers
from umbra.challenge import store as challenges
from umbra.core.errors import NotFound
from umbra.core.events import Client, Event, watching
from umbra.core.secret import Secret
from umbra.core.typed import folded
from umbra.crypto import tokens
from umbra.db.transaction import Transaction
from umbra.links import store as links
from umbra.links.errors import LinkRefused
from umbra.links.purposes import Purpose
from umbra.links.store import Link
from umbra.mail import store as mail
from umbra.mail.kinds import Kind
from umbra.passwords import store as password_store
from umbra.passwords.flows import prepared
from umbra.removals import store as removals
from umbra.sessions import store as sessions
from umbra.signin import notices, passwords, store
from umbra.totp import flows as totp_flows
from umbra.totp import store as totp
from umbra.users import store as users
from umbra.users.user import Account

RESET = (Purpose.RESET_PASSWORD,)
UNDO = (Purpose.END_SESSIONS, Purpose.UNDO_REMOVAL, Purpose.UNDO_SIGN_IN)


def refuse_without_mail(auth: Auth) -> None:
    """Have no links where there is no mail server.

    Raises:
        NotFound: There is none.
    """
    if not notices.is_on(auth):
        raise NotFound


async def request_reset(auth: Auth, username: str, client: Client) -> None:
    """Mail the account of that name a link to set its password anew, if it has an address and is let in.

    Whoever asks learns nothing, nor does the time tell: whether there is such an account or not, the same statements
    run and commit, and the only difference is the row of the mail.

    Raises:
        NotFound: There is no mail server.
        AttemptsSpent: This network has asked too often.
    """
    refuse_without_mail(auth)
    async with watching(auth.sink, Event.PASSWORD_RESET_REQUESTED, client) as note:
        note.detail["method"] = "mail"
        async with auth.db.unflushed() as tx:
            await attempts.charge(tx, attempts.reset_budget(passwords.network_of(client.ip)), auth.clock.now())
        async with auth.db.begin() as tx:
            now = auth.clock.now()
            account = await users.hold_named(tx, folded(username))
            reason = _reason_for_none(account)
            note.user_id = account.user.id if account else None
            told = mail.queueing(Kind.PASSWORD_RESET, client, now, auth.entropy)
            told |= {"most_mails": 0} if reason else {}
            await store.keep(tx, note.happened(reason), now, mail=told)
        note.is_kept = True


async def look(auth: Auth, token: str, purposes: tuple[Purpose, ...]) -> Link:
    """Return a link that is still good, for its page; nothing is spent.

    Raises:
        NotFound: There is no mail server.
        LinkRefused: It is unknown, used or out of date.
    """
    refuse_without_mail(auth)
    token_hash = tokens.LINK.hash_of(token)
    if token_hash is None:
        raise LinkRefused
    async with auth.db.read() as tx:
        return await links.find(tx, token_hash, purposes, auth.clock.now())


async def reset_password(auth: Auth, token: str, new: Secret[str], client: Client) -> None:
    """Set another password by the link of a mail; every session, challenge and other such link ends.

    Signs nobody in, and leaves the second factor and its budgets as they are.

    Raises:
        NotFound: There is no mail server.
        LinkRefused: The link is unknown, used or out of date.
        PasswordRefused: The new password is not good enough; the link stays good.
        Busy: The hashing pool is full; the link stays good.
    """
    link = await look(auth, token, RESET)
    async with watching(auth.sink, Event.PASSWORD_RESET, client, link.user.id) as note:
        note.detail["method"] = "mail"
        async with prepared(auth, new, username=link.user.username, email=link.user.email) as slot:
            (hashed,) = await slot.hash(new)
        async with auth.db.begin() as tx:
            now = auth.clock.now()
            await users.hold(tx, link.user.id)
            await links.spend(tx, link, now)
            await links.void(tx, link.user.id, Purpose.RESET_PASSWORD)
            await challenges.end_all(tx, link.user.id)
            await attempts.forgive(tx, attempts.reset_budget(passwords.network_of(client.ip)), now)
            await password_store.change(tx, link.user.id, hashed)
            await sessions.end_all(tx, link.user.id, now, idle=auth.settings.session_idle)
            await browsers.forget_proofs(tx, link.user.id)
            await notices.keep(auth, tx, note, now)


async def undo(auth: Auth, token: str, client: Client) -> Purpose:
    """Do what a link is for by which an owner keeps a stranger out, and return what that was.

    It ends what the account has open, and leaves no browser known; after a sign-in by a backup code, only the sessions
    from then on. What was removed with the second factor comes back.

    Raises:
        NotFound: There is no mail server.
        LinkRefused: The link is unknown, used or out of date.
        SecretsUnreadable: A key is missing for what would come back; nothing was done, and the link stays good.
    """
    link = await look(auth, token, UNDO)
    is_removal = link.purpose is Purpose.UNDO_REMOVAL
    event = Event.SECOND_FACTOR_RESTORED if is_removal else Event.SESSIONS_ENDED
    async with watching(auth.sink, event, client, link.user.id) as note:
        note.detail["method"] = "mail"
        async with auth.db.begin() as tx:
            now = auth.clock.now()
            await users.hold(tx, link.user.id)
            await links.spend(tx, link, now)
            await challenges.end_all(tx, link.user.id)
            if is_removal:
                await _bring_back(auth, tx, link)
            if link.purpose is Purpose.UNDO_SIGN_IN:
                await sessions.end_since(tx, link.user.id, link.created_at, now)
            else:
                await sessions.end_all(tx, link.user.id, now, idle=auth.settings.session_idle)
            await browsers.forget_all(tx, link.user.id, now)
            await notices.keep(auth, tx, note, now)
    return link.purpose


async def _bring_back(auth: Auth, tx: Transaction, link: Link) -> None:
    """Put the authenticators of one removal in the place of whatever was enrolled, or begun, since.

    What was removed later had been enrolled since, so that no link brings it back any more. The backup codes that
    there are now are a stranger's, perhaps, and those that there were are gone. Secrets come back under the newest key,
    so that none gets past a rotation that has just been through.

    Raises:
        LinkRefused: There is nothing to bring back any more.
        SecretsUnreadable: A secret cannot be opened.
    """
    await links.void(tx, link.user.id, Purpose.UNDO_REMOVAL, since=link.created_at)
    await totp.remove_all(tx, link.user.id)
    removed = await removals.take(tx, link.user.id, link.created_at)
    if not removed:
        raise LinkRefused
    for one in removed:
        await removals.restore(tx, one, totp_flows.resealed(auth, one.user_id, one.id, one.sealed))
    await passwords.outdate_checks(auth, tx, link.user.id)
    await backup_codes.remove_all(tx, link.user.id)


def _reason_for_none(account: Account | None) -> str | None:
    """Say why nobody gets a mail, for the audit log alone."""
    if account is None:
        return "unknown_user"
    if account.disabled_at is not None:
        return "disabled"
    return "no_address" if account.user.email is None else None
