"""The HTTP service: routers joined, errors mapped to answers, life cycle."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.telemetry import TelemetryConfig
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.batch.warm import warm
from collector.event_routes import routes as event_routes
from collector.grpc_routes import serve_grpc
from collector.receive import Limits, NotAllowedError, Receiver
from collector.routes import routes as collector_routes
from collector.target_routes import routes as target_routes
from collector.workers.scrape import Plan, Scraper
from metering.corrections.routes import routes as correction_routes
from metering.quarantine_routes import routes as quarantine_routes
from metering.query.routes import routes as query_routes
from metering.reading_routes import routes as reading_routes
from metering.reconcile.routes import routes as reconcile_routes
from metering.resources.routes import routes as resource_routes
from metering.resources.store import UnknownResourceError
from metering.routes import routes as metering_routes
from metering.store import UnknownAccountError
from pricing.bills.store import UnknownBillError
from pricing.prices.routes import routes as book_routes
from tallystick import clock
from tallystick.home import home_page
from tallystick.jobs import schedule
from tallystick.keeping.health import health_of, sentence_of_fault
from tallystick.keeping.routes import health_routes
from tallystick.keeping.routes import routes as keeping_routes
from tallystick.office_routes import office_routes
from tallystick.role import OtherRoleError, Role
from tallystick.setup import Setup, apply_setup
from tallystick.wiring import Parts

_log = structlog.get_logger("tallystick")

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI would otherwise trace its own requests into the receiver that it serves."""

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotAllowedError, 401),
    (UnknownAccountError, 404),
    (UnknownResourceError, 404),
    (UnknownBillError, 404),
    (LookupError, 422),
    (ValueError, 422),
    (TypeError, 422),
)
"""Our own errors -> status, the first that fits: they say what was wrong with the request.
Any other error is the service's fault: 503, and logged."""

Life = AbstractAsyncContextManager[None]

_GRACE_SECONDS = 10
"""How long requests under way may take when the service stops."""

_OURS = ("collector.", "metering.", "pricing.", "tallystick.")


def create_app(parts: Parts, *, listen: bool = False) -> FastAPI:
    """Join the routers over the parts of one service. The app closes the parts when it ends.

    ``listen``: also serve gRPC while the app lives.
    """
    settings = parts.settings
    receiver = Receiver(
        parts.sinks,
        parts.decoder,
        _key_check(settings.ingest_key, "ingest key"),
        Limits(settings.max_body_bytes, clock.now_ns),
    )
    plan = Plan(settings.targets, settings.scrape_seconds, settings.scrape_max_bytes)
    scraper = Scraper(plan, parts.words, parts.take_readings, clock.now_ns)

    app = FastAPI(
        title="Tallystick",
        version="0.1.0",
        lifespan=_life(parts, receiver if listen else None, scraper),
        telemetry=NO_TELEMETRY,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    admin = [Depends(_header_check(_key_check(settings.admin_key, "admin key")))]
    app.include_router(collector_routes(receiver))
    app.include_router(event_routes(receiver))
    app.include_router(metering_routes(parts.events), dependencies=admin)
    app.include_router(query_routes(parts.questions, parts.refresh), dependencies=admin)
    app.include_router(quarantine_routes(parts.aside), dependencies=admin)
    app.include_router(
        correction_routes(parts.desk, parts.payable_changes, parts.refreshing.lock),
        dependencies=admin,
    )
    app.include_router(health_routes(lambda: health_of(parts)))
    app.include_router(keeping_routes(parts.backups, parts.now), dependencies=admin)
    app.include_router(target_routes(scraper, receiver), dependencies=admin)
    app.include_router(reading_routes(parts.readings, parts.now), dependencies=admin)
    app.include_router(
        reconcile_routes(parts.reconciliation, parts.refresh, parts.now), dependencies=admin
    )
    app.include_router(resource_routes(parts.resources, parts.now), dependencies=admin)
    app.include_router(book_routes(parts.books, parts.now, parts.reread_book), dependencies=admin)
    app.include_router(office_routes(parts), dependencies=admin)

    @app.post("/v1/setup", dependencies=admin, summary="Declare accounts, nodes and contracts")
    def setup(declared: Setup) -> dict[str, int]:
        """Store what is declared; applying it twice changes nothing."""
        with parts.refreshing.lock:  # a refresh under way has read the old bindings
            return apply_setup(declared, parts.engine, parts.prices.book)

    @app.get("/", dependencies=admin, include_in_schema=False)
    def home() -> HTMLResponse:
        """Show what there is to read; made here, so that it works in a closed network."""
        return HTMLResponse(home_page(parts.meter.accounts(), parts.now()))

    _refuse(app, settings.role)
    return app


def _refuse(app: FastAPI, role: Role) -> None:
    """Answer errors with a sentence, and what another role serves with its name."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _failed)
    for kind, _ in STATUS:
        app.add_exception_handler(kind, _failed)
    if role is not Role.ALL:
        app.add_middleware(_OnePart, role=role)


class _OnePart:
    """Answers only what the process's role serves."""

    def __init__(self, app: ASGIApp, role: Role) -> None:
        self._app = app
        self._role = role

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._role.serves(scope["path"]):
            said = str(OtherRoleError(self._role, scope["path"]))
            await JSONResponse({"error": said}, 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _life(parts: Parts, listening: Receiver | None, scraper: Scraper) -> Callable[[FastAPI], Life]:
    """Return what runs as long as the app: schedule, scraper, gRPC where it listens, the parts."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        collects = parts.settings.role.collects
        if listening and collects:
            await asyncio.to_thread(warm, parts.decoder)
        scheduler = schedule(parts)
        scraping = [asyncio.create_task(scraper.run())] if collects else []
        grpc_server = None
        try:
            if listening and collects and parts.settings.grpc_port:
                grpc_server = await serve_grpc(listening, parts.settings.grpc_address)
            yield
        finally:
            if grpc_server:
                await grpc_server.stop(_GRACE_SECONDS)
            for task in scraping:
                task.cancel()
            await asyncio.gather(*scraping, return_exceptions=True)
            scheduler.shutdown()
            parts.close()

    return life


def _key_check(key: SecretStr, what: str) -> Callable[[str], None]:
    """Return a check that an Authorization header carries the key; with no key set, everyone may.

    Programs send it as a bearer token, browsers as the password of HTTP Basic.
    """
    wanted = key.get_secret_value().encode()

    def check(authorization: str) -> None:
        scheme, _, given = authorization.partition(" ")
        offered = _basic_password(given) if scheme.lower() == "basic" else given.encode()
        if wanted and not hmac.compare_digest(offered, wanted):
            raise NotAllowedError(what)

    return check


def _header_check(check: Callable[[str], None]) -> Callable[[Request], None]:
    def dependency(request: Request) -> None:
        check(request.headers.get("authorization", ""))

    return dependency


def _basic_password(credentials: str) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _failed(_request: Request, error: Exception) -> JSONResponse:
    """Answer with the error's sentence; of our own faults only the log tells more."""
    status = 503
    if type(error).__module__.startswith(_OURS):
        status = next((code for kind, code in STATUS if isinstance(error, kind)), 503)
    if status == 503:
        _log.error("request_failed", kind=type(error).__name__, error=str(error))
        return JSONResponse({"error": sentence_of_fault(error)}, status, {"Retry-After": "1"})
    text = str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
    headers = {"WWW-Authenticate": 'Basic realm="tallystick"'} if status == 401 else {}
    return JSONResponse({"error": text}, status, headers)


def _no_route(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    said = {"error": f"{error.status_code}: {error.detail}"}
    return JSONResponse(said, error.status_code, error.headers)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in {"body", "query"})
    said = str(first["msg"]).removeprefix("Value error, ")
    found = "" if first["type"] == "value_error" else f", found {str(first['input'])[:80]!r}"
    return JSONResponse({"error": f"{where}: {said}{found}" if where else said + found}, 422)
