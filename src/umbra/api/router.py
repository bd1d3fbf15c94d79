"""The whole JSON face, for the server and for whoever mounts it."""

from fastapi import APIRouter

from umbra.api import account, signin, totp

router = APIRouter()
router.include_router(signin.router)
router.include_router(totp.router)
router.include_router(account.router)
