"""Umbra inside somebody else's FastAPI application: their engine, their accounts, their login if they like."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from sqlalchemy import Engine, MetaData, SQLColumnExpression, inspect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Mapper
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from umbra import restore, upkeep
from umbra.api import signin as signin_face
from umbra.api.caller import the_caller
from umbra.api.forms import Delivery
from umbra.api.router import PARTS
from umbra.audit.store import DatabaseSink
from umbra.auth import Auth, PasswordCheck
from umbra.brand import Brand
from umbra.core.clock import Clock, SystemClock
from umbra.core.entropy import Entropy, SystemEntropy
from umbra.core.errors import Misconfigured, Refused
from umbra.core.events import Happened, Sink, signal_of
from umbra.core.ids import UserId
from umbra.core.secret import Secret
from umbra.crypto.argon import PROFILES, HashingPool
from umbra.crypto.keyring import Keyring
from umbra.db import revision
from umbra.db.database import Database
from umbra.db.guest import Accounts, Guest
from umbra.db.hosted import Hosted, loaded
from umbra.db.transaction import DatabaseFault
from umbra.pages import router as pages_face
from umbra.pages import signin as signin_page
from umbra.pages import site as sites
from umbra.pages.addresses import local
from umbra.pages.site import HostsOwn, Pages
from umbra.sessions.errors import NotAuthenticated
from umbra.settings import checked
from umbra.signin import account, flows, secondfactor
from umbra.signin.flows import SignedIn
from umbra.web import caller, gate, host, lookalikes
from umbra.web.gate import Answer
from umbra.web.host import Host, Identify

UserT = TypeVar("UserT")

log = logging.getLogger("umbra")

OnEvent = Callable[[Happened], Coroutine[Any, Any, None]]
"""What an application does when something has happened, or was refused: mail somebody, count it, write it down."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an application that has tokens of its own learns of a sign-in that is complete.

    ``session_id`` goes into its token, and comes back from ``identify``; it opens nothing by itself. ``amr`` says how
    somebody proved who they are (RFC 8176). Who has ``enrolment_required`` came with a password, and must have more.
    """

    session_id: str = field(repr=False)
    amr: tuple[str, ...]
    authenticated_at: datetime
    expires_at: datetime
    enrolment_required: bool = False
    backup_codes_remaining: int | None = None


OnSignedIn = Callable[[Request, UserT, Verdict], Awaitable[Response]]

SERVERS_OWN = {
    "api_docs", "data_dir", "database_url", "encryption_keys", "encryption_keys_file", "log_format", "mail_from",
    "metrics", "registration", "smtp_url",
}  # fmt: skip
"""Settings that mean nothing here."""

LOGIN = "/login"
HOSTS_OWN = {
    "/register", "/password", "/password/reset-request", "/password/reset", "/undo", "/email/proof",
    "/email/proof/confirm",
}  # fmt: skip
"""Accounts are the host's to make and to change, and so is mail."""


class Umbra(Generic[UserT]):
    """The second factor, step-up and sessions of an application.

    ``engine`` is the application's own, async or not; Umbra takes connections from its pool, and its transactions are
    its own: what was spent stays spent, whatever becomes of the application's. Nothing is added to ``user_model``.

    ``encryption_keys`` are Fernet keys, newest first, as ``umbra keys new --print`` prints them. ``public_url`` decides
    which origin may change anything with a cookie, and whether the cookie is ``Secure``.

    Args:
        engine: The application's engine.
        user_model: Its mapped class of accounts, with a primary key of one column.
        login_field: The attribute with the name to sign in with; authenticator apps show it.
        issuer: What authenticator apps show beside it.
        encryption_keys: Fernet keys for the secrets of authenticators, newest first.
        public_url: Where browsers find the application.
        login_key: What a name to sign in with is looked for in, given ``user_model``, and after folding (Unicode NFKC,
            no case); ``login_field`` as it is, which is right where it holds lower case only, unless given.
        password_field: The attribute with an Argon2 hash, if Umbra is to look at passwords.
        check_password: How the application looks at a password itself, where Umbra asks for one besides a code. It
            gets the account and the password; a guess has been charged by then.
        email_field: The attribute with the mail address.
        disabled: What is true of an account that may not sign in, given ``user_model``.
        require_mfa: Which accounts must have a second factor, given one. Without it they sign in to enrol, and
            ``user()`` lets them through when they have.
        on_signed_in: Answers whoever has signed in, instead of Umbra, with a token or session of the application's;
            ``identify`` is needed too.
        identify: Returns the ``session_id`` that such a token holds, once the application has found it genuine.
        other_logins: Paths that look like a way to sign in and are none, or that end in ``sign_in`` unseen.
        table_prefix: What the names of Umbra's tables begin with.
        pages: Whether the router has the HTML pages too.
        templates: A folder of templates that take the place of those of the same name, or extend ``umbra/…``.
        brand: What the pages look like; without a name they are called as the issuer.
        sign_in_page: Where on the application's site people sign in, if not on the page that Umbra has with passwords.
        password_page: Where on its site they choose another password.
        on_event: Called with every event of docs/reference/events.md, beside the request that it belongs to, once it is
            in the audit log.
        settings: Further settings, by their names in ``docs/reference/settings.md``, in lower case without ``UMBRA_``.

    Raises:
        Misconfigured: A key is no key, a field is none of the model's, a setting is not of its form, or one of two
            arguments that belong together is missing.
    """

    def __init__(
        self,
        *,
        engine: Engine | AsyncEngine,
        user_model: type[UserT],
        login_field: str,
        issuer: str,
        encryption_keys: Sequence[str],
        public_url: str = "http://127.0.0.1:8000",
        login_key: Callable[[type[UserT]], SQLColumnExpression[str]] | None = None,
        password_field: str | None = None,
        check_password: Callable[[UserT, str], Awaitable[bool]] | None = None,
        email_field: str | None = None,
        disabled: Callable[[type[UserT]], SQLColumnExpression[bool]] | None = None,
        require_mfa: Callable[[UserT], bool] | None = None,
        on_signed_in: OnSignedIn[UserT] | None = None,
        identify: Identify | None = None,
        other_logins: Collection[str] = (),
        table_prefix: str = "",
        pages: bool = False,
        templates: Path | None = None,
        brand: Brand | None = None,
        sign_in_page: str | None = None,
        password_page: str | None = None,
        on_event: OnEvent | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        hashing: HashingPool | None = None,
        **settings: Any,
    ) -> None:
        if password_field is not None and check_password is not None:
            raise Misconfigured("give password_field or check_password: who looks at passwords?")
        if (on_signed_in is None) != (identify is None):
            raise Misconfigured("on_signed_in and identify belong together: what one issues, the other recognises")
        if pages and on_signed_in is not None:
            raise Misconfigured("pages go by Umbra's own cookie, and with on_signed_in there is none")
        self._engine = engine
        self._user_model = user_model
        self._require_mfa = require_mfa
        self._on_signed_in = on_signed_in
        self._other_logins = frozenset(other_logins)
        self._has_tables_apart = True
        self._on_event = on_event
        self._has_passwords = password_field is not None
        self._hosts_own = HostsOwn(
            accounts=True,
            login=password_field is None,
            passwords=password_field is None and check_password is None,
            sign_in=sign_in_page,
            new_password=password_page,
        )
        self._pages = Pages(brand or Brand(), issuer, hosts_own=self._hosts_own, templates=templates) if pages else None
        self._guest = Guest(
            Accounts(
                **_table_of(user_model),
                login=_column(user_model, login_field),
                login_key=_element(login_key(user_model)) if login_key is not None else None,
                email=_column(user_model, email_field) if email_field is not None else None,
                password=_column(user_model, password_field) if password_field is not None else None,
                disabled=_element(disabled(user_model)) if disabled is not None else None,
            ),
            prefix=table_prefix,
        )
        when = clock or SystemClock()
        if settings.keys() & SERVERS_OWN:
            raise Misconfigured(f"{', '.join(sorted(settings.keys() & SERVERS_OWN))}: only the server has that")
        chosen = checked({"issuer": issuer, "public_url": public_url} | settings)
        database = Hosted(engine, self._guest)
        self.auth = Auth(
            db=database,
            clock=when,
            entropy=entropy or SystemEntropy(),
            keyring=Keyring.of(*encryption_keys),
            hashing=hashing or HashingPool(PROFILES[chosen.argon2_profile]),
            settings=chosen,
            sink=self.sink(database, when),
            check_password=self._checking(check_password) if check_password is not None else None,
            renews_tokens=on_signed_in is None,
        )
        self._host = Host(
            issue=self._issue if on_signed_in is not None else None,
            identify=identify,
            must_enrol=self._must_enrol if require_mfa is not None else None,
        )

    def sink(self, database: Database, clock: Clock) -> Sink:
        """Return where events go: into the audit log, and to the application if it asked for them."""
        kept = DatabaseSink(database, clock)
        return kept if self._on_event is None else _Telling(kept, self._on_event)

    def tables(self, metadata: MetaData) -> None:
        """Declare Umbra's tables in the application's metadata, so that its own migrations make them.

        Without this call they are apart: ``umbra --app … db upgrade`` makes them, and keeps a history of its own.
        """
        self._has_tables_apart = False
        self._guest.declare(metadata)

    def include_name(self, name: str | None, type_: str, _parent_names: Any = None) -> bool:
        """Say whether Alembic is to look at what has this name: everything but tables of Umbra's that are apart.

        It is for ``context.configure(…, include_name=umbra.include_name)`` in the application's ``env.py``.
        """
        return not (self._has_tables_apart and type_ == "table" and name is not None and self._guest.owns(name))

    @property
    def router(self) -> APIRouter:
        """The calls of the contract, without those that make or change accounts; ``login`` if there are passwords.

        The pages are beside them, if they are asked for.
        """
        left_out = HOSTS_OWN if self._has_passwords else HOSTS_OWN | {LOGIN}
        router = APIRouter(dependencies=[Depends(self._bring)])
        calls = APIRouter()
        calls.routes = [
            route for part in PARTS for route in part.routes if getattr(route, "path", None) not in left_out
        ]
        router.include_router(calls)
        if self._pages is not None:
            router.include_router(pages_face.router(self._hosts_own), include_in_schema=False)
        return router

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Look whether the tables and the keys are right, answer refusals in ``app``; seal and clean up while it runs.

        Raises:
            Misconfigured: The tables are not there, or the keys do not open what is in them.
        """
        app.add_exception_handler(Refused, self._answered)
        app.middleware_stack = app.build_middleware_stack()  # it was built for this call, before there was a handler
        for route in lookalikes.among(iter_route_contexts(app.routes), besides=self._other_logins):
            log.warning("%s looks like a way to sign in that does not end in umbra.sign_in", route)
        await self.check_ready()
        async with restore.keeping_regularly(self.auth), upkeep.cleaning_up_regularly(self.auth):
            yield

    async def check_ready(self) -> None:
        """Look whether the tables are there, and whether the keys open what is in them.

        Raises:
            Misconfigured: They are not, or do not; the text says what to do.
        """
        if self._has_tables_apart and not await revision.is_current(self.auth.db):
            raise Misconfigured("Umbra's tables are not current: run 'umbra --app … db upgrade', or see umbra.tables")
        try:
            await upkeep.check_canary(self.auth)
        except DatabaseFault:
            raise Misconfigured("Umbra's tables are not there: run the migration that makes them") from None

    async def dispose(self) -> None:
        """Close the engine's connections, for a program that ends: an application disposes of its own."""
        if isinstance(self._engine, AsyncEngine):
            await self._engine.dispose()
        else:
            self._engine.dispose()

    async def sign_in(
        self,
        request: Request,
        user: UserT,
        *,
        delivery: Delivery | Literal["page"] = "cookie",
        next: str | None = None,  # noqa: A002 - what it is called in addresses
    ) -> Response:
        """Sign in somebody whom the application has recognised, and return what to answer.

        That is a session, or, where there is a second factor, ``mfa_required`` with what ``/totp-verify`` wants. To a
        ``page`` the answer is where to go: ``next``, a path of this site, or the page that asks for the code first. It
        may be a GET that another site leads to, as single sign-on and links in mails do; that the way back is one which
        this browser began is for the application to know.

        Raises:
            OriginRefused: Another site asks for a cookie.
            CredentialsRefused: The account is gone, or disabled.
            Misconfigured: The pages are asked for, and are not there.
        """
        await self._bring(request)
        is_way_back = delivery == "page" and request.method in caller.SAFE_METHODS
        is_ours_to_ask = delivery != "token" and not is_way_back and self._on_signed_in is None
        if is_ours_to_ask:
            caller.refuse_foreign_origin(request, self.auth)
        site = sites.mounted(request, self.auth, self._pages) if delivery == "page" else None
        outcome = await flows.admit(self.auth, self.key_of(user), caller.client_of(request, self.auth))
        if site is not None:
            return signin_page.admitted(site, outcome, local(next))
        kept_in: Delivery = "token" if delivery == "token" else "cookie"
        return await signin_face.answer_to(request, self.auth, outcome, kept_in)

    async def sign_out_everywhere(self, request: Request, user: UserT) -> int:
        """End every session of an account, and every sign-in that waits for its code; return how many sessions.

        The application calls it when it has changed a password, or keeps somebody out.
        """
        return await account.end_everything(self.auth, self.key_of(user), caller.client_of(request, self.auth))

    def key_of(self, user: UserT) -> UserId:
        """Return the key of an account, as Umbra's tables refer to it."""
        (key,) = inspect(user, raiseerr=True).mapper.primary_key_from_instance(user)
        return UserId(key)

    def user(
        self, *, mfa: bool = False, within: timedelta | None = None
    ) -> Callable[[HTTPConnection], Awaitable[UserT]]:
        """Return a dependency that gives the account of whoever calls, as the application's own object.

        It serves routes and WebSockets; a socket is looked at when it is opened, and not again.

        ``mfa`` asks for a session that was begun, or proven since, with a second factor; ``within`` for a proof that is
        no older, of the strongest kind that the account has.

        The dependency raises:
            NotAuthenticated: Nobody is signed in.
            OriginRefused: A cookie would let a change in, and another site asks for it.
            StepUpRequired: The proof is too old or too weak; the answer says what would do.
            NotEnabled: A second factor is asked for, and the account has none yet.
        """

        async def the_user(request: HTTPConnection) -> UserT:
            await self._bring(request)
            me = (await the_caller(request, self.auth)).me
            user = await self._loaded(me.user.id)
            must_have = mfa or self._is_required(user)
            if must_have or within is not None:
                await secondfactor.refuse_weak(self.auth, me, second_factor=must_have, within=within)
            return user

        return the_user

    def optional_user(self) -> Callable[[HTTPConnection], Awaitable[UserT | None]]:
        """Return a dependency that gives the account of whoever calls, or ``None`` where nobody is signed in."""
        the_user = self.user()

        async def perhaps(request: HTTPConnection) -> UserT | None:
            try:
                return await the_user(request)
            except NotAuthenticated:
                return None

        return perhaps

    def gate(self, app: ASGIApp, *, mfa: bool = False, within: timedelta | None = None) -> ASGIApp:
        """Return an ASGI application that only those reach whom ``user()`` lets through, as ``request.state.user``.

        It goes around what is mounted: ``app.mount("/admin", umbra.gate(admin, mfa=True))``, or into the middleware of
        a mount. Whoever is refused gets the same answers as everywhere.
        """
        return gate.gated(app, self.user(mfa=mfa, within=within), self._answer_to)

    async def _bring(self, request: HTTPConnection) -> None:
        request.scope[caller.IN_SCOPE] = self.auth
        request.scope[host.IN_SCOPE] = self._host
        request.scope[sites.IN_SCOPE] = self._pages

    def _is_required(self, user: UserT) -> bool:
        return self._require_mfa is not None and self._require_mfa(user)

    async def _must_enrol(self, signed_in: SignedIn) -> bool:
        current = signed_in.current
        is_strong = current.session.second_factor_at is not None
        return not is_strong and self._is_required(await self._loaded(current.user.id))

    async def _issue(self, request: Request, signed_in: SignedIn) -> Response:
        """Have the application answer whoever has signed in."""
        assert self._on_signed_in is not None  # noqa: S101 - a narrowing: this is brought only then
        session = signed_in.current.session
        verdict = Verdict(
            signed_in.token.reveal(),
            tuple(session.amr),
            session.authenticated_at,
            session.expires_at,
            enrolment_required=await self._must_enrol(signed_in),
            backup_codes_remaining=signed_in.backup_codes_remaining,
        )
        return await self._on_signed_in(request, await self._loaded(signed_in.current.user.id), verdict)

    def _checking(self, check: Callable[[UserT, str], Awaitable[bool]]) -> PasswordCheck:
        async def is_right(user_id: UserId, password: Secret[str]) -> bool:
            return await check(await self._loaded(user_id), password.reveal())

        return is_right

    async def _answered(self, connection: HTTPConnection, refusal: Exception) -> Any:
        assert isinstance(refusal, Refused)  # noqa: S101 - a narrowing: it is registered for these
        return self._answer_to(connection, refusal)

    def _answer_to(self, connection: HTTPConnection, refusal: Refused) -> Answer:
        """Answer a refusal: with the way to a page that helps, where somebody looks at one, or else as a problem."""
        if self._pages is not None and isinstance(connection, Request) and sites.looks(connection):
            help_ = sites.mounted(connection, self.auth, self._pages).helping(connection, refusal)
            if help_ is not None:
                return help_
        return gate.refusal_to(connection, refusal)

    async def _loaded(self, key: UserId) -> UserT:
        """Return the application's own object.

        Raises:
            NotAuthenticated: The account has gone since the session was found.
        """
        user = await loaded(self._engine, self._user_model, key)
        if user is None:
            raise NotAuthenticated
        return user


class _Telling:
    """Keeps events, and tells the application of each, which no request waits for or fails by."""

    def __init__(self, sink: Sink, tell: OnEvent) -> None:
        self._sink = sink
        self._tell = tell
        self._telling: set[asyncio.Task[None]] = set()

    async def record(self, happened: Happened) -> None:
        await self._sink.record(happened)
        await self.was_kept(happened)
        if (signal := signal_of(happened)) is not None:
            await self.was_kept(signal)

    async def was_kept(self, happened: Happened) -> None:
        task = asyncio.ensure_future(self._tell(happened))
        self._telling.add(task)
        task.add_done_callback(self._told)

    def _told(self, task: "asyncio.Task[None]") -> None:
        self._telling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the application's on_event failed: %s", type(error).__qualname__)


def _table_of(model: type[Any]) -> dict[str, Any]:
    """Return the table of the host's accounts, and its key."""
    mapper: Mapper[Any] = inspect(model)
    (key, *more) = mapper.primary_key
    if more:
        raise Misconfigured(f"{model.__name__} has a primary key of several columns, and Umbra's tables refer to one")
    return {"table": mapper.local_table, "key": key}


def _element(given: Any) -> Any:
    """Return what SQL is made of: an attribute of a mapped class stands for its column."""
    return given.__clause_element__() if hasattr(given, "__clause_element__") else given


def _column(model: type[Any], name: str) -> Any:
    mapper: Mapper[Any] = inspect(model)
    if name not in mapper.columns:
        raise Misconfigured(f"{model.__name__} has no column {name!r}")
    return mapper.columns[name]
