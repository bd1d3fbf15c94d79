"""Mistakes that type checkers find, one in each line that says ``# refused``, and in no other."""

from datetime import timedelta
from typing import Any

from fastapi import Request, Response
from right import Base, User, is_right, issue, session_of, umbra
from sqlalchemy import create_engine
from sqlalchemy.orm import Mapped, mapped_column

from umbra import Happened, Umbra, Verdict
from umbra.testing import Kit

engine = create_engine("sqlite://")


class Stranger(Base):
    __tablename__ = "strangers"

    id: Mapped[int] = mapped_column(primary_key=True)


def not_awaited(happened: Happened) -> None:
    repr(happened)


async def for_strangers(request: Request, user: Stranger, verdict: Verdict) -> Response:
    return Response(str((request, user.id, verdict.session)))  # refused


def the_rest() -> dict[str, Any]:
    return {"login_field": "email", "issuer": "Acme", "encryption_keys": ["key"]}


async def use(request: Request, stranger: Stranger, user: User, kit: Kit[User]) -> None:
    await umbra.sign_in(request, stranger)  # refused
    await umbra.sign_in(request, user, delivery="header")  # refused
    await umbra.sign_in(user)  # refused
    await umbra.sign_out_everywhere(request, stranger)  # refused
    umbra.user(mfa="yes")  # refused
    umbra.user(within=300)  # refused
    umbra.user(True)  # refused
    repr((await umbra.user()(request)).nickname)  # refused
    repr((await umbra.optional_user()(request)).email)  # refused
    umbra.tables(Base)  # refused
    umbra.gate(umbra)  # refused
    await kit.code_for(stranger)  # refused
    await kit.signed_in("browser", user)  # refused
    kit.clock.move(30)  # refused
    kit.clock.move(timedelta(seconds=30))


Umbra(engine=engine, user_model=User, login_field="email", issuer="Acme")  # refused
Umbra(engine="sqlite://", user_model=User, **the_rest())  # refused
Umbra(engine=engine, user_model="users", **the_rest())  # refused
Umbra(engine=engine, user_model=User, **the_rest(), disabled=lambda user: user.is_gone)  # refused
Umbra(engine=engine, user_model=User, **the_rest(), disabled=lambda _: True)  # refused
Umbra(engine=engine, user_model=User, **the_rest(), require_mfa=lambda user: user.email)  # refused
Umbra(engine=engine, user_model=User, **the_rest(), on_event=not_awaited)  # refused
Umbra(engine=engine, user_model=User, **the_rest(), on_signed_in=for_strangers, identify=session_of)  # refused
Umbra(engine=engine, user_model=User, **the_rest(), on_signed_in=issue, identify=is_right)  # refused
Umbra(engine=engine, user_model=Stranger, **the_rest(), check_password=is_right)  # refused
