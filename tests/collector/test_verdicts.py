"""How well every captured scenario of every client is read: nothing is silently wrong."""

from collections import Counter
from collections.abc import Callable

import pytest
from captures import CLIENTS, EXACT, Verdict, bodies_of, events_of, scenarios, verdict

LOGGING = ("openlit", "otel-genai-openai")
"""Clients whose log records tell of model calls, too."""


def verdicts() -> dict[tuple[str, str], Verdict]:
    found = {pair: verdict(*pair) for pair in scenarios()}
    for client, scenario in scenarios():
        if client in LOGGING and bodies_of(client, "logs", scenario):
            found[f"{client} (logs)", scenario] = verdict(client, scenario, "logs")
    return found


def test_what_is_not_exact_is_listed_with_its_reason(golden: Callable[[str, str], None]) -> None:
    found = verdicts()
    words = Counter(verdict.word for verdict in found.values())
    lines = [
        f"{client} | {scenario} | {verdict.word} | {verdict.reason}"
        for (client, scenario), verdict in sorted(found.items())
        if verdict != EXACT
    ]
    summary = ", ".join(f"{n} {word}" for word, n in words.most_common())

    golden("captures.txt", "\n".join([f"of {len(found)} scenarios: {summary}", "", *lines, ""]))


def test_nothing_is_silently_wrong() -> None:
    wrong = {pair: v.reason for pair, v in verdicts().items() if v.word == "wrong"}

    assert wrong == {}


def test_whatever_a_server_told_and_a_client_passed_on_is_exact_or_marked() -> None:
    words = Counter(verdict.word for verdict in verdicts().values())

    assert set(words) <= {
        "exact", "detail unknown", "unknown", "estimated", "invisible", "partly invisible",
    }  # fmt: skip
    assert words["exact"] >= 300


@pytest.mark.parametrize("client", LOGGING)
def test_the_logs_of_a_client_never_say_more_calls_than_its_spans(client: str) -> None:
    spans, logs = events_of(bodies_of(client)), events_of(bodies_of(client, "logs"))

    assert len(logs) > 20
    assert {e.call.response_id for e in logs} <= {e.call.response_id for e in spans}


def test_every_client_is_judged() -> None:
    assert {client for client, _ in scenarios()} == set(CLIENTS)
