"""A request that carries a key is carried out once, whatever becomes of its answers."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from sqlalchemy import Engine
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tallystick.api.once import HEADER, REPLAYED, Once
from tallystick.api.once_store import ABANDONED, KEPT, Answer, OnceStore, StillRunningError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Till:
    """An app that takes money, and the clock on its wall."""

    def __init__(self, ledger: Engine) -> None:
        self.taken: list[bytes] = []
        self.now = NOW
        self.answer: Callable[[], Response] = lambda: JSONResponse({"taken": len(self.taken)})
        self.store = OnceStore(ledger)
        self.app: ASGIApp = Once(
            self._take,
            store=self.store,
            now=lambda: self.now,
            max_body_bytes=100,
            is_allowed=lambda key: key != "wrong",
        )

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.taken.append(message["body"])
        await asyncio.sleep(0)
        await self.answer()(scope, receive, send)

    def ask(self, body: bytes = b"1.00", key: str = "k", **more: str) -> httpx2.Response:
        """Send one request."""
        return asyncio.run(self._sent([(body, key)], more))[0]

    def ask_all(self, *requests: tuple[bytes, str]) -> list[httpx2.Response]:
        """Send requests at the same time."""
        return asyncio.run(self._sent(list(requests), {}))

    async def _sent(
        self, requests: list[tuple[bytes, str]], more: dict[str, str]
    ) -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://till") as client:
            sent = (
                client.post("/v1/grants", content=body, headers={HEADER: key, **more})
                for body, key in requests
            )
            return list(await asyncio.gather(*sent))


@pytest.fixture
def till(ledger: Engine) -> Till:
    return Till(ledger)


def test_the_same_request_is_carried_out_once_and_answered_alike(till: Till) -> None:
    first, again = till.ask(), till.ask()

    assert till.taken == [b"1.00"]
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")


def test_another_key_is_another_request(till: Till) -> None:
    till.ask(key="a")
    till.ask(key="b")

    assert len(till.taken) == 2


def test_a_key_is_good_for_one_request(till: Till) -> None:
    till.ask(b"1.00")
    answer = till.ask(b"2.00")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == HEADER
    assert till.taken == [b"1.00"]


@pytest.mark.parametrize("status", [401, 404, 422, 503])
def test_a_refused_request_may_be_mended_and_sent_again(till: Till, status: int) -> None:
    till.answer = lambda: Response(status_code=status)
    assert till.ask(b"wrong").status_code == status

    till.answer = lambda: Response(status_code=200)
    assert till.ask(b"right").status_code == 200
    assert till.taken == [b"wrong", b"right"]


def test_a_fault_lets_go_of_the_key(till: Till) -> None:
    def fail() -> Response:
        raise RuntimeError("the store is away")

    till.answer = fail
    with pytest.raises(RuntimeError, match="away"):
        till.ask()
    till.answer = lambda: Response(status_code=200)

    assert till.ask().status_code == 200


def test_of_requests_at_the_same_time_one_is_carried_out(till: Till) -> None:
    answers = till.ask_all(*[(b"1.00", "k")] * 5)

    assert till.taken == [b"1.00"]
    assert {a.status_code for a in answers} <= {200, 409}
    assert [a.headers["Retry-After"] for a in answers if a.status_code == 409] == ["1"] * sum(
        a.status_code == 409 for a in answers
    )


def test_whoever_ended_on_the_way_holds_a_key_for_a_quarter_of_an_hour(till: Till) -> None:
    assert till.store.begin("k", "f", NOW) is None
    with pytest.raises(StillRunningError):
        till.store.begin("k", "f", NOW + ABANDONED - timedelta(seconds=1))

    assert till.store.begin("k", "f", NOW + ABANDONED) is None


def test_answers_are_kept_for_two_days(till: Till) -> None:
    till.ask()
    till.now += KEPT
    assert till.ask().headers.get(REPLAYED) == "true"

    till.now += timedelta(seconds=1)
    assert till.ask().headers.get(REPLAYED) is None
    assert len(till.taken) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "a\tb"])
def test_a_key_is_a_few_visible_characters(till: Till, key: str) -> None:
    answer = till.ask(key=key)

    assert answer.status_code == 422
    assert "visible ASCII" in answer.json()["detail"]
    assert till.taken == []


def test_a_long_body_is_not_kept_in_memory(till: Till) -> None:
    assert till.ask(b"x" * 101).status_code == 413
    assert till.taken == []


def test_who_may_not_ask_leaves_no_trace(till: Till) -> None:
    till.ask(authorization="wrong")
    till.ask(authorization="wrong")

    assert len(till.taken) == 2
    assert till.store.begin("k", "f", NOW) is None


def test_an_answer_comes_back_as_it_was_kept(ledger: Engine) -> None:
    store, answer = OnceStore(ledger), Answer(201, "text/plain", b"\x00\xff")
    store.begin("k", "f", NOW)
    store.finish("k", answer)

    assert store.begin("k", "f", NOW) == answer
