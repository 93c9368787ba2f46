"""Talk to the service: over HTTP where one runs, else to one opened inside this process.

The embedded event store admits one process, so a command must not open it beside a service.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Protocol, Self

import httpx2

from collector.rpc_status import status_sentence
from tallystick.role import Role
from tallystick.settings import Settings

_TIMEOUT_S = 600
_FIRST_BAD = 300
_TELEMETRY = {"/v1/traces", "/v1/logs", "/v1/metrics", "/v1/events", "/v1/access-logs"}


Take = Callable[[bytes], object]
"""What is done with a piece of an answer."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Wire(Protocol):
    """Where requests go."""

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer to one request."""

    def receive(self, request: httpx2.Request, take: Take) -> httpx2.Response:
        """Hand over the body of a good answer piece by piece; return the answer without it."""

    def close(self) -> None:
        """Let go of whatever is held."""


class Client:
    """What commands use of a service, wherever it runs."""

    def __init__(self, settings: Settings, wire: Wire, address: str) -> None:
        self._settings = settings
        self._wire = wire
        self._address = address

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send one request and return the answer.

        Raises:
            RefusedError: the service said no, with its sentence.
            ServiceGoneError: it stopped answering.
        """
        request = self._request(method, path, params, body, headers)
        try:
            return _checked(self._wire.send(request))
        except httpx2.HTTPError as error:
            raise ServiceGoneError(self._address, str(error)) from error

    def rows(self, path: str, **asked: str) -> list[Any]:
        """Return all rows of a list that comes in pages."""
        found: list[Any] = []
        after = ""
        while True:
            params = {**asked, "limit": "1000", **({"after": after} if after else {})}
            page = self.request("GET", path, params=params).json()
            found += page["rows"]
            after = page["next"]
            if after is None:
                return found

    def download(self, path: str, params: Mapping[str, str], take: Take) -> httpx2.Headers:
        """Hand over what an address answers piece by piece; return the answer's headers.

        Raises:
            RefusedError: the service said no, with its sentence. Nothing was handed over.
            ServiceGoneError: it stopped answering, maybe in the middle.
        """
        try:
            answer = self._wire.receive(self._request("GET", path, params), take)
            return _checked(answer).headers
        except httpx2.HTTPError as error:
            raise ServiceGoneError(self._address, str(error)) from error

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Request:
        return httpx2.Request(
            method,
            self._address + path,
            params=list(params) if isinstance(params, Sequence) else params,
            content=body,
            headers={**_key_header(self._settings, path), **(headers or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wire.close()


class RemoteWire:
    """A service that runs elsewhere."""

    def __init__(self) -> None:
        self._http = httpx2.Client(timeout=_TIMEOUT_S)

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer to one request."""
        return self._http.send(request)

    def receive(self, request: httpx2.Request, take: Take) -> httpx2.Response:
        """Hand over the body of a good answer as it comes."""
        answer = self._http.send(request, stream=True)
        with closing(answer):
            if not answer.is_success:
                answer.read()
            else:
                for piece in answer.iter_bytes():
                    take(piece)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class LocalWire:
    """A service that lives inside this process, and only as long as the command."""

    def __init__(self, settings: Settings) -> None:
        from tallystick.app import create_app  # noqa: PLC0415 - slow, only where no service runs
        from tallystick.wiring import assemble  # noqa: PLC0415

        app = create_app(assemble(settings.model_copy(update={"role": Role.ALL})))
        self._runner = asyncio.Runner()
        self._life = app.router.lifespan_context(app)
        self._runner.run(self._life.__aenter__())
        self._app = app
        transport = httpx2.ASGITransport(app=app)
        self._http = httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT_S)

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """Answer inside the process."""
        return self._runner.run(self._http.send(request))

    def receive(self, request: httpx2.Request, take: Take) -> httpx2.Response:
        """Hand over the body of a good answer as the service inside makes it."""
        told = Telling(take)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self._app(scope, receive, told.through(send))

        return self._runner.run(_answer(httpx2.ASGITransport(app=app), request))

    def close(self) -> None:
        """Write what waits and close the stores."""
        self._runner.run(self._http.aclose())
        self._runner.run(self._life.__aexit__(None, None, None))
        self._runner.close()


async def _answer(transport: httpx2.ASGITransport, request: httpx2.Request) -> httpx2.Response:
    answer = await transport.handle_async_request(request)
    await answer.aread()
    return answer


class Telling:
    """Takes the body of a good answer out of it: what is held in memory is one piece."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._is_good = False

    def through(self, send: Send) -> Send:
        """Return how an application sends, that hands over bodies instead."""

        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._is_good = message["status"] < _FIRST_BAD
            elif self._is_good:
                self._take(message.get("body", b""))
                message = {**message, "body": b""}
            await send(message)

        return sent


def connect(settings: Settings, url: str = "") -> Client:
    """Return a client of the service at an address, or of one opened here where none runs.

    Raises:
        NoServiceError: an address was asked for, and nobody answers there.
    """
    address = url or settings.address
    if _is_up(address):
        return remote(settings, address)
    if url:
        raise NoServiceError(url)
    sys.stderr.write(f"no service answers at {address}: opening {settings.events} here\n")
    return Client(settings, LocalWire(settings), "http://local")


def remote(settings: Settings, address: str) -> Client:
    """Return a client of the service at an address, without asking whether it is there."""
    return Client(settings, RemoteWire(), address)


def _is_up(address: str) -> bool:
    try:
        answer = httpx2.get(f"{address}/healthz", timeout=5)
    except httpx2.HTTPError:
        return False
    return answer.is_success and "arrivals_stored" in answer.text


def _key_header(settings: Settings, path: str) -> dict[str, str]:
    is_telemetry = path in _TELEMETRY
    key = (settings.ingest_key if is_telemetry else settings.admin_key).get_secret_value()
    return {"Authorization": f"Bearer {key}"} if key else {}


def _checked(answer: httpx2.Response) -> httpx2.Response:
    if answer.is_success:
        return answer
    raise RefusedError(answer.status_code, _said(answer))


def _said(answer: httpx2.Response) -> str:
    """Return the sentence in a refusal, whatever it is written in."""
    if answer.headers.get("content-type", "").startswith("application/x-protobuf"):
        return status_sentence(answer.content)
    try:
        document: Any = answer.json()
        return str(document.get("error") or document.get("message") or document.get("detail"))
    except (ValueError, AttributeError):
        return f"the service answered {answer.status_code}: {answer.text[:200]}"


class NoServiceError(RuntimeError):
    """Nobody answers at the address."""

    def __init__(self, url: str) -> None:
        super().__init__(f"a tallystick service must answer at {url}, found none")


class ServiceGoneError(RuntimeError):
    """The service stopped answering."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"the service at {url} must answer, found: {reason}")


class RefusedError(RuntimeError):
    """The service said no."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
