"""The application behind the studio's page: static files, and an API that describes itself in OpenAPI."""

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from everybody_dance.errors import DanceError
from everybody_dance.studio.live_show import LiveShow
from everybody_dance.studio.studio import Studio
from everybody_dance.version import VERSION
from everybody_dance.web.answers import STATIC, error_body
from everybody_dance.web.guard import POLICY
from everybody_dance.web.studio.dances import dances_routes, results_routes
from everybody_dance.web.studio.feed import Feed, State
from everybody_dance.web.studio.jobs import jobs_routes
from everybody_dance.web.studio.people import live_routes, people_routes
from everybody_dance.web.studio.uploads import uploads_routes

STATUSES = {
    "no-upload": 404,
    "no-person-here": 404,
    "no-dance-here": 404,
    "no-result-here": 404,
    "no-job": 404,
    "no-video": 404,
    "no-picture": 404,
    "wrong-offset": 409,
    "not-complete": 409,
    "busy": 409,
    "wrong-state": 409,
    "file-too-large": 413,
    "disk-full": 507,
    "disk-nearly-full": 507,
}
"""HTTP status by error code; 422 for the rest."""

PAGE_POLICY = POLICY.replace("media-src 'self'", "media-src 'self' blob:")
"""The page also plays what it has just recorded, which is nowhere yet but in the browser."""

DESCRIPTION = """What the studio's page does, and nothing more. Ids are names of people, dances and results; what is not
among them is not found. Errors are `{"error": {"code", "message"}}`, with the codes of the guide."""


def studio_app(studio: Studio, live: LiveShow) -> FastAPI:
    """The application, to be put behind a ``Guard``."""
    app = FastAPI(
        title="Everybody Dance, studio",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,  # its page would be loaded from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    state = State(studio, live)
    feed = Feed(state)

    @app.exception_handler(DanceError)
    async def explain(_: Request, error: DanceError) -> Response:
        return JSONResponse(error_body(error), STATUSES.get(error.code, 422))

    @app.exception_handler(RequestValidationError)
    async def explain_request(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return JSONResponse(error_body(DanceError("bad-request", f"{where or 'The request'}: {first['msg']}.")), 422)

    @app.exception_handler(HTTPException)
    async def explain_protocol(_: Request, error: HTTPException) -> Response:
        code = "not-found" if error.status_code == 404 else "bad-request"
        return JSONResponse(error_body(DanceError(code, f"{error.detail}.")), error.status_code, error.headers)

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return FileResponse(STATIC / "studio" / "index.html", headers={"Content-Security-Policy": PAGE_POLICY})

    @app.get("/api/state", tags=["state"])
    def whole_state() -> dict[str, dict[str, object]]:
        """Everything that the page shows, by section and id; ``/api/events`` tells what changes."""
        return state.now(anew=True)

    @app.websocket("/api/events")
    async def events(socket: WebSocket) -> None:
        await feed.serve(socket)

    for routes in (uploads_routes, people_routes, dances_routes, results_routes, jobs_routes):
        app.include_router(routes(studio), prefix="/api")
    app.include_router(live_routes(studio, live), prefix="/api")
    app.mount("/static", StaticFiles(directory=STATIC))
    return app
