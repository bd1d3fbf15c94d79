"""Making accounts, and changing what they have besides a second factor."""

from umbra.auth import Auth
from umbra.browsers import store as browsers
from umbra.challenge import store as challenges
from umbra.core.errors import InvalidRequest, NotFound
from umbra.core.events import Client, Event, watching
from umbra.core.ids import UserId
from umbra.core.proof import TotpProof
from umbra.core.secret import Secret
from umbra.core.typed import Digits
from umbra.crypto import tokens
from umbra.db import state
from umbra.links import store as links
from umbra.links.purposes import Purpose
from umbra.passwords import store as password_store
from umbra.passwords.flows import prepared
from umbra.sessions import store as sessions
from umbra.sessions.session import Current
from umbra.signin import guesses, notices, passwords
from umbra.signin.guesses import Guess
from umbra.totp import store as totp
from umbra.totp.errors import NotEnabled
from umbra.users import store as users
from umbra.users.errors import RegistrationClosed, UsernameTaken
from umbra.users.store import NewUser
from umbra.users.user import Account, User

FIRST_RUN = "first_run"
OPERATOR = Client(user_agent="umbra command line")


async def register(auth: Auth, username: str, password: Secret[str], email: str | None, client: Client) -> User:
    """Make an account for whoever asks, where the operator allows it. Signs nobody in.

    Raises:
        RegistrationClosed: The operator does not.
        PasswordRefused: The password is not good enough.
        UsernameTaken: Another account has that name.
        Busy: The hashing pool is full.
    """
    if auth.settings.registration != "open":
        raise RegistrationClosed
    return await create(auth, username, password, email=email, is_operator=False, client=client)


async def create(
    auth: Auth, username: str, password: Secret[str], *, email: str | None, is_operator: bool, client: Client
) -> User:
    """Make an account. The first one, however it is made, closes the first-run page.

    Raises:
        PasswordRefused: The password is not good enough.
        UsernameTaken: Another account has that name.
        Busy: The hashing pool is full.
    """
    async with watching(auth.sink, Event.ACCOUNT_CREATED, client) as note:
        new = await _new_user(auth, username, password, email, is_operator=is_operator)
        async with auth.db.begin() as tx:
            await state.take(tx, FIRST_RUN)
            user = await users.add(tx, new, auth.clock.now())
        note.user_id = user.id
    return user


async def open_first_run(auth: Auth) -> Secret[str] | None:
    """Return a fresh first-run token, or ``None`` when there is an account; an older token is dead."""
    token = tokens.FIRST_RUN.new(auth.entropy)
    async with auth.db.begin() as tx:
        if await users.is_anybody_there(tx):
            return None
        await state.put(tx, FIRST_RUN, tokens.FIRST_RUN.hash_of_new(token))
    return token


async def may_first_run(auth: Auth, token: str) -> bool:
    """Say whether ``token`` would still make the first account."""
    token_hash = tokens.FIRST_RUN.hash_of(token)
    async with auth.db.read() as tx:
        return token_hash is not None and await state.get(tx, FIRST_RUN) == token_hash


async def first_run(
    auth: Auth, token: str, username: str, password: Secret[str], email: str | None, client: Client
) -> User:
    """Make the first account, an operator's, with the one-time token that the server printed.

    Raises:
        NotFound: The token is not the one printed last, or there is an account already.
        PasswordRefused: The password is not good enough; the token stays good.
        Busy: The hashing pool is full; the token stays good.
    """
    token_hash = tokens.FIRST_RUN.hash_of(token)
    if token_hash is None:
        raise NotFound
    async with watching(auth.sink, Event.ACCOUNT_CREATED, client) as note:
        if not await may_first_run(auth, token):  # before anything is hashed for whoever asks
            raise NotFound
        new = await _new_user(auth, username, password, email, is_operator=True)
        async with auth.db.begin() as tx:
            if not await state.take(tx, FIRST_RUN, token_hash) or await users.is_anybody_there(tx):
                raise NotFound
            user = await users.add(tx, new, auth.clock.now())
        note.user_id = user.id
    return user


async def change_password(
    auth: Auth, me: Current, password: Secret[str], new: Secret[str], code: Digits | None, client: Client
) -> None:
    """Give the account another password; its other sessions and all its challenges end.

    Raises:
        InvalidRequest: The account has an authenticator, and no code came.
        NotEnabled: A code came, and the account has no authenticator.
        PasswordRefused: The new password is not good enough; nothing was charged.
        CredentialsRefused: The current password is wrong; no code was spent.
        AttemptsSpent: Too many guesses, of either kind.
        CodeRefused: Wrong, outside its time, or already used.
        Busy: The hashing pool is full; nothing was charged.
    """
    async with watching(auth.sink, Event.PASSWORD_CHANGED, client, me.user.id) as note:
        async with auth.db.read() as tx:
            is_enabled = await totp.is_enabled(tx, me.user.id)
        if is_enabled and code is None:
            raise InvalidRequest(("code", "is required"))
        if code is not None and not is_enabled:
            raise NotEnabled
        async with prepared(auth, new, username=me.user.username, email=me.user.email) as slot:
            checked = await passwords.check(auth, slot, me.user.username, password, client, note)
            proven = None
            if code is not None:
                await guesses.accept_password(auth, checked)
                note.detail["method"] = "totp"
                proven = await guesses.look(auth, Guess(me.user.id, TotpProof(code), "password_change", client))
            (hashed,) = await slot.hash(new)
        budgets = [checked.budget] if proven is None else [proven.budget]
        async with guesses.handing_back(auth, *budgets), auth.db.begin() as tx:
            now = auth.clock.now()
            await passwords.accept(tx, checked, now)
            if proven is None and await totp.is_enabled(tx, me.user.id):
                raise InvalidRequest(("code", "is required"))
            await challenges.end_all(tx, me.user.id)
            if proven is not None:
                await guesses.spend(tx, proven, now)
            await password_store.change(tx, me.user.id, hashed)
            await links.void(tx, me.user.id, Purpose.RESET_PASSWORD)
            await sessions.end_all(tx, me.user.id, now, idle=auth.settings.session_idle, besides=me.session.id)
            await browsers.forget_proofs(tx, me.user.id, besides=client.browser)
            await notices.keep(auth, tx, note, now)


async def end_everything(auth: Auth, user_id: UserId, client: Client) -> int:
    """End every session and challenge of an account, and return how many sessions were alive.

    No browser has guesses of its own any more, until a second factor is accepted from it again.
    """
    async with watching(auth.sink, Event.SESSIONS_ENDED, client, user_id), auth.db.begin() as tx:
        await users.hold(tx, user_id)
        await challenges.end_all(tx, user_id)
        count = await sessions.end_all(tx, user_id, auth.clock.now(), idle=auth.settings.session_idle)
        await browsers.forget_proofs(tx, user_id)
        return count


async def keep_others_out(auth: Auth, me: Current, client: Client) -> None:
    """End every other session and every challenge, and know no browser any more, for an owner who was not alone."""
    async with watching(auth.sink, Event.SESSIONS_ENDED, client, me.user.id), auth.db.begin() as tx:
        now = auth.clock.now()
        await users.hold(tx, me.user.id)
        await challenges.end_all(tx, me.user.id)
        await sessions.end_all(tx, me.user.id, now, idle=auth.settings.session_idle, besides=me.session.id)
        await browsers.forget_all(tx, me.user.id, now)


async def find(auth: Auth, username: str) -> Account:
    """Return the account of that name, for the operator.

    Raises:
        NotFound: There is none.
    """
    async with auth.db.read() as tx:
        return await users.by_name(tx, username)


async def everybody(auth: Auth) -> list[Account]:
    """Return all accounts, for the operator."""
    async with auth.db.read() as tx:
        return await users.everybody(tx)


async def _new_user(
    auth: Auth, username: str, password: Secret[str], email: str | None, *, is_operator: bool
) -> NewUser:
    async with prepared(auth, password, username=username, email=email) as slot:
        if await _is_taken(auth, username):
            raise UsernameTaken
        (hashed,) = await slot.hash(password)
    return NewUser(username, email, hashed, is_operator)


async def _is_taken(auth: Auth, username: str) -> bool:
    async with auth.db.read() as tx:
        return await users.exists(tx, username)
