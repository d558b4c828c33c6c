"""Who may talk to a page's server: whoever has the token, from a page of this server and under a name of this machine.

Other people's pages in the same browser can reach a server on 127.0.0.1 too. They lack the token; their requests carry
their own ``Origin``; and if they point a name of theirs at this machine (DNS rebinding), the ``Host`` is not ours.
"""

import secrets
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page may load."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer, unless it has its own."""


class Guard:
    """An ASGI application in front of another, which refuses everybody who should not be there.

    The token is taken from the address (``?token=``); a visit with it sets a cookie that carries it from then on.

    Args:
        app: what is guarded.
        token: the secret.
        cookie: name of the cookie; servers on other ports of this machine share the browser's cookies.
        names: the machine's names. Addresses in digits need not be among them, since no name can be pointed at
            this machine for a page that was reached by one.
        secure: whether the server speaks HTTPS.
    """

    def __init__(self, app: ASGIApp, *, token: str, cookie: str, names: Collection[str], secure: bool) -> None:
        self._app = app
        self._token = token
        self._cookie = cookie
        self._names = frozenset(name.lower() for name in names)
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        visits = _token_in_address(scope) is not None and scope["type"] == "http"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if visits and message["status"] == 200:
                    headers.append("Set-Cookie", self._set_cookie())
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(refusal, 403)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> str | None:
        """Why a request is refused; None where it is not."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return "This name does not belong to the program. Open the address that it printed."
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        origin = f"{'https' if self._secure else 'http'}://{host}"
        if changes and headers.get("origin", "").lower() != origin.lower():
            return "This was asked for by another page."
        if not (self._is_token(_token_in_address(scope)) or self._is_token(self._token_in_cookie(headers))):
            return "Open the address that the program printed: it ends with a token."
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)

    def _is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self._token.encode())

    def _token_in_cookie(self, headers: Headers) -> str | None:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return None
        return None if cookie is None else cookie.value

    def _set_cookie(self) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/{secure}"


def _token_in_address(scope: Scope) -> str | None:
    tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return tokens[0] if tokens else None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
