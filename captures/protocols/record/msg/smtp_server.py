"""An SMTP server of aiosmtpd: `slow` answers the end of a message after ten seconds, `auth` knows no password."""
import asyncio, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Handler:
    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(10 if sys.argv[1] == "slow" else 0)
        return "250 Message accepted for delivery"


options = {}
if sys.argv[1] == "auth":
    options = dict(auth_require_tls=False, authenticator=lambda *a: AuthResult(success=False, handled=False))
controller = Controller(Handler(), hostname="10.79.0.1", port=25, **options)
controller.start()
controller._thread.join()
