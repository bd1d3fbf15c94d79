"""The whole JSON face, for the server and for whoever mounts it."""

from fastapi import APIRouter

from umbra.api import account, email, links, signin, totp

PARTS = (signin.router, totp.router, account.router, email.router, links.router)

router = APIRouter()
router.routes = [route for part in PARTS for route in part.routes]
