"""The whole JSON face, for the server and for whoever mounts it."""

from fastapi import APIRouter

from umbra.api import account, links, signin, totp

PARTS = (signin.router, totp.router, account.router, links.router)

router = APIRouter()
for part in PARTS:
    router.include_router(part)
