"""The HTTP service: routers joined, errors mapped to answers, life cycle."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.telemetry import TelemetryConfig
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.batch.warm import warm
from collector.event_routes import routes as event_routes
from collector.grpc_routes import serve_grpc
from collector.receive import Limits, NotAllowedError, Receiver
from collector.routes import Shortcut
from collector.routes import routes as collector_routes
from collector.target_routes import routes as target_routes
from collector.workers.scrape import Plan, Scraper
from metering.band import Bands
from metering.corrections.routes import routes as correction_routes
from metering.quarantine_routes import routes as quarantine_routes
from metering.query.routes import routes as query_routes
from metering.reading_routes import routes as reading_routes
from metering.reconcile.routes import routes as reconcile_routes
from metering.resources.routes import routes as resource_routes
from metering.routes import routes as metering_routes
from pricing.prices.routes import Around as AroundBooks
from pricing.prices.routes import routes as book_routes
from tallystick import clock
from tallystick.api.clean import refuse_nul
from tallystick.api.declaration_routes import declaration_routes
from tallystick.api.description import describe
from tallystick.api.errors import answer_errors
from tallystick.api.once import Once
from tallystick.api.once_store import OnceStore
from tallystick.api.problem import Problem, kind_of
from tallystick.home import home_page
from tallystick.jobs import schedule
from tallystick.keeping.health import health_of
from tallystick.keeping.routes import health_routes
from tallystick.keeping.routes import routes as keeping_routes
from tallystick.office_routes import office_routes
from tallystick.role import OtherRoleError, Role
from tallystick.wiring import Parts

_log = structlog.get_logger("tallystick")

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI would otherwise trace its own requests into the receiver that it serves."""

Life = AbstractAsyncContextManager[None]

_GRACE_SECONDS = 10
"""How long requests under way may take when the service stops."""


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
    app.include_router(collector_routes(receiver))
    app.include_router(event_routes(receiver))
    _join(app, parts, target_routes(scraper, receiver))
    answer_errors(app)
    describe(app)
    _guard(app, parts)
    if settings.role.collects:
        app.add_middleware(Shortcut, receiver=receiver)
    return app


def _join(app: FastAPI, parts: Parts, targets: APIRouter) -> None:
    """Add what an operator asks for and declares."""
    admin = [
        Depends(_header_check(_key_check(parts.settings.admin_key, "admin key"))),
        Depends(refuse_nul),
    ]
    app.include_router(metering_routes(parts.events), dependencies=admin)
    app.include_router(query_routes(parts.questions, parts.refresh), dependencies=admin)
    app.include_router(quarantine_routes(parts.aside), dependencies=admin)
    app.include_router(
        correction_routes(parts.desk, parts.payable_changes, parts.refreshing.lock),
        dependencies=admin,
    )
    app.include_router(health_routes(lambda: health_of(parts)))
    app.include_router(keeping_routes(parts.backups, parts.now), dependencies=admin)
    app.include_router(targets, dependencies=admin)
    app.include_router(reading_routes(parts.readings, parts.now), dependencies=admin)
    app.include_router(
        reconcile_routes(parts.reconciliation, parts.refresh, parts.now), dependencies=admin
    )
    app.include_router(resource_routes(parts.resources, parts.now), dependencies=admin)
    bands = Bands.parse(parts.settings.context_bands).bounds
    books = AroundBooks(parts.now, parts.reread_book, bands)
    app.include_router(book_routes(parts.books, books), dependencies=admin)
    app.include_router(office_routes(parts), dependencies=admin)
    app.include_router(declaration_routes(parts), dependencies=admin)

    @app.get("/", dependencies=admin, include_in_schema=False)
    def home() -> HTMLResponse:
        """Show what there is to read; made here, so that it works in a closed network."""
        return HTMLResponse(home_page(parts.meter.accounts(), parts.now()))


def _guard(app: FastAPI, parts: Parts) -> None:
    """Have requests done once, and only those that the process's role serves."""
    settings = parts.settings
    if settings.role is not Role.COLLECTOR:
        app.add_middleware(
            Once,
            store=OnceStore(parts.engine),
            now=parts.now,
            max_body_bytes=settings.max_body_bytes,
            is_allowed=_is_passed(_key_check(settings.admin_key, "admin key")),
        )
    if settings.role is not Role.ALL:
        app.add_middleware(_OnePart, role=settings.role)


class _OnePart:
    """Answers only what the process's role serves."""

    def __init__(self, app: ASGIApp, role: Role) -> None:
        self._app = app
        self._role = role

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._role.serves(scope["path"]):
            said = str(OtherRoleError(self._role, scope["path"]))
            await Problem(404, said, kind=kind_of(OtherRoleError))(scope, receive, send)
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


def _is_passed(check: Callable[[str], None]) -> Callable[[str], bool]:
    def passes(authorization: str) -> bool:
        try:
            check(authorization)
        except NotAllowedError:
            return False
        return True

    return passes


def _basic_password(credentials: str) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""
