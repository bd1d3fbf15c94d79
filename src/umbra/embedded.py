"""Umbra inside somebody else's FastAPI application: their engine, their accounts, their login if they like."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from sqlalchemy import Column, Engine, MetaData, SQLColumnExpression, inspect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Mapper

from umbra import upkeep
from umbra.api import signin as signin_face
from umbra.api.caller import the_caller
from umbra.api.forms import Delivery
from umbra.api.router import PARTS
from umbra.audit.store import DatabaseSink
from umbra.auth import Auth
from umbra.core.clock import Clock, SystemClock
from umbra.core.entropy import Entropy, SystemEntropy
from umbra.core.errors import Misconfigured, Refused
from umbra.core.ids import UserId
from umbra.crypto.argon import PROFILES, HashingPool
from umbra.crypto.keyring import Keyring
from umbra.db.guest import Accounts, Guest
from umbra.db.hosted import Hosted, loaded
from umbra.db.transaction import DatabaseFault
from umbra.sessions.errors import NotAuthenticated
from umbra.settings import Settings
from umbra.signin import flows, secondfactor
from umbra.web import caller
from umbra.web.problems import problem

UserT = TypeVar("UserT")

OURS_TO_CALL_ONLY_WITH_PASSWORDS = {"/login", "/password"}
NEVER_OURS = {"/register"}
"""Accounts are the host's to make."""


class Umbra(Generic[UserT]):
    """The second factor, step-up and sessions of an application.

    ``engine`` is the application's own, async or not; Umbra takes connections from its pool, and its transactions are
    its own: what was spent stays spent, whatever becomes of the application's. Nothing is added to ``user_model``.

    ``encryption_keys`` are Fernet keys, newest first, as ``umbra keys new`` prints them. ``public_url`` decides which
    origin may change anything with a cookie, and whether the cookie is ``Secure``.

    Args:
        engine: The application's engine.
        user_model: Its mapped class of accounts, with a primary key of one column.
        login_field: The attribute with the name to sign in with; authenticator apps show it.
        issuer: What authenticator apps show beside it.
        encryption_keys: Fernet keys for the secrets of authenticators, newest first.
        public_url: Where browsers find the application.
        password_field: The attribute with an Argon2 hash, if Umbra is to look at passwords.
        email_field: The attribute with the mail address.
        disabled: What is true of an account that may not sign in, given ``user_model``.
        table_prefix: What the names of Umbra's tables begin with.
        settings: Further settings, by their names in ``docs/reference/settings.md``, in lower case without ``UMBRA_``.

    Raises:
        Misconfigured: A key is no key, a field is none of the model's, or a setting is not of its form.
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
        password_field: str | None = None,
        email_field: str | None = None,
        disabled: Callable[[type[UserT]], SQLColumnExpression[bool]] | None = None,
        table_prefix: str = "",
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        hashing: HashingPool | None = None,
        **settings: Any,
    ) -> None:
        self._engine = engine
        self._user_model = user_model
        self._has_passwords = password_field is not None
        self._guest = Guest(
            _accounts(user_model, login_field, password_field, email_field, disabled), prefix=table_prefix
        )
        when = clock or SystemClock()
        chosen = Settings(issuer=issuer, public_url=public_url, **settings)
        database = Hosted(engine, self._guest)
        self.auth = Auth(
            db=database,
            clock=when,
            entropy=entropy or SystemEntropy(),
            keyring=Keyring.of(*encryption_keys),
            hashing=hashing or HashingPool(PROFILES[chosen.argon2_profile]),
            settings=chosen,
            sink=DatabaseSink(database, when),
        )

    def tables(self, metadata: MetaData) -> None:
        """Declare Umbra's tables in the application's metadata, so that its own migrations make them."""
        self._guest.declare(metadata)

    @property
    def router(self) -> APIRouter:
        """The calls of docs/reference, without registration; without passwords if no ``password_field`` was given."""
        left_out = NEVER_OURS | (set() if self._has_passwords else OURS_TO_CALL_ONLY_WITH_PASSWORDS)
        router = APIRouter(dependencies=[Depends(self._bring)])
        for part in PARTS:
            kept = APIRouter(route_class=part.route_class)
            kept.routes = [route for route in part.routes if getattr(route, "path", None) not in left_out]
            router.include_router(kept)
        return router

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Look whether the tables and the keys are right, answer refusals in ``app``, and clean up while it runs.

        Raises:
            Misconfigured: The tables are not there, or the keys do not open what is in them.
        """
        app.add_exception_handler(Refused, _answered)
        app.middleware_stack = app.build_middleware_stack()  # it was built for this call, before there was a handler
        try:
            await upkeep.check_canary(self.auth)
        except DatabaseFault:
            raise Misconfigured("Umbra's tables are not there: run the migration that makes them") from None
        async with upkeep.cleaning_up_regularly(self.auth):
            yield

    async def sign_in(self, request: Request, user: UserT, *, delivery: Delivery = "cookie") -> Response:
        """Sign in somebody whom the application has recognised, and return what to answer.

        That is a session, or, where there is a second factor, ``mfa_required`` with what ``/totp-verify`` wants.

        Raises:
            OriginRefused: Another site asks for a cookie.
            CredentialsRefused: The account is gone, or disabled.
        """
        if delivery == "cookie":
            caller.refuse_foreign_origin(request, self.auth)
        (key,) = inspect(user, raiseerr=True).mapper.primary_key_from_instance(user)
        outcome = await flows.admit(self.auth, UserId(key), caller.client_of(request, self.auth))
        return signin_face.answer_to(self.auth, outcome, delivery)

    def user(self, *, mfa: bool = False, within: timedelta | None = None) -> Callable[[Request], Awaitable[UserT]]:
        """Return a dependency that gives the account of whoever calls, as the application's own object.

        ``mfa`` asks for a session that was begun, or proven since, with a second factor; ``within`` for a proof that is
        no older, of the strongest kind that the account has.

        The dependency raises:
            NotAuthenticated: Nobody is signed in.
            OriginRefused: A cookie would let a change in, and another site asks for it.
            StepUpRequired: The proof is too old or too weak; the answer says what would do.
            NotEnabled: A second factor is asked for, and the account has none yet.
        """

        async def the_user(request: Request) -> UserT:
            await self._bring(request)
            found = await the_caller(request, self.auth)
            if mfa or within is not None:
                await secondfactor.refuse_weak(self.auth, found.me, second_factor=mfa, within=within)
            return await self._loaded(found.me.user.id)

        return the_user

    async def _bring(self, request: Request) -> None:
        request.scope[caller.IN_SCOPE] = self.auth

    async def _loaded(self, key: UserId) -> UserT:
        """Return the application's own object.

        Raises:
            NotAuthenticated: The account has gone since the session was found.
        """
        user = await loaded(self._engine, self._user_model, key)
        if user is None:
            raise NotAuthenticated
        return user


def _accounts(
    model: type[UserT],
    login: str,
    password: str | None,
    email: str | None,
    disabled: Callable[[type[UserT]], SQLColumnExpression[bool]] | None,
) -> Accounts:
    mapper: Mapper[UserT] = inspect(model)
    (key, *more) = mapper.primary_key
    if more or not isinstance(key, Column):
        raise Misconfigured(f"{model.__name__} has a primary key of several columns, and Umbra's tables refer to one")

    def column(name: str) -> Any:
        if name not in mapper.columns:
            raise Misconfigured(f"{model.__name__} has no column {name!r}")
        return mapper.columns[name]

    return Accounts(
        table=mapper.local_table,  # type: ignore[arg-type]  # a mapped class of accounts is mapped to a table
        key=key,
        login=column(login),
        email=column(email) if email is not None else None,
        password=column(password) if password is not None else None,
        disabled=disabled(model) if disabled is not None else None,
    )


async def _answered(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refused)  # noqa: S101 - a narrowing: it is registered for these
    return problem(refusal)
