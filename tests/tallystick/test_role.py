"""What a process of each role serves, and what it refuses to start as."""

import time
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from pydantic import ValidationError

from collector.event_routes import routes as event_routes
from collector.receive import Limits, Receiver
from collector.routes import routes as collector_routes
from collector.target_routes import routes as target_routes
from collector.workers.scrape import Plan, Scraper
from metering.scale.layout import ALONE, Deployment, Layout
from tallystick.role import COLLECTED, HEALTH, Role
from tallystick.settings import Settings
from tallystick.wiring import assemble, deployed

SERVER = "clickhouse://ch.example:8123/tally"


@pytest.mark.parametrize("role", [Role.COLLECTOR, Role.WORKER, Role.API])
def test_a_part_of_the_service_needs_a_server_for_events(role: Role) -> None:
    with pytest.raises(ValidationError, match=f"role {role} needs TALLYSTICK_EVENTS_URL to name"):
        Settings(role=role)
    assert Settings(role=role, events_url=SERVER).role is role


@pytest.mark.parametrize(
    ("role", "collects", "ticks", "answers"),
    [
        (Role.ALL, True, True, True),
        (Role.COLLECTOR, True, False, False),
        (Role.WORKER, False, True, False),
        (Role.API, False, False, True),
    ],
)
def test_each_part_is_played_by_its_role_and_by_all(
    role: Role, collects: bool, ticks: bool, answers: bool
) -> None:
    assert (role.collects, role.ticks, role.answers) == (collects, ticks, answers)
    assert role.serves("/v1/traces") is collects
    assert role.serves("/v1/usage") is answers
    assert role.serves(HEALTH)


def test_what_a_collector_serves_is_what_the_collectors_routes_are(tmp_path: Path) -> None:
    parts = assemble(Settings(data=tmp_path))
    receiver = Receiver(parts.sinks, parts.decoder, lambda _: None, Limits(1024, time.time_ns))
    plan = Plan("", 15, 1024)
    scraper = Scraper(plan, parts.words, parts.readings_commit.submit, time.time_ns)
    routers = (collector_routes(receiver), event_routes(receiver), target_routes(scraper, receiver))
    parts.close()

    assert {r.path for router in routers for r in router.routes if isinstance(r, APIRoute)} == (
        COLLECTED
    )


def test_embedded_a_process_is_alone_and_on_a_server_arrivals_settle() -> None:
    assert deployed(Settings()) == ALONE
    assert deployed(
        Settings(events_url=SERVER, events_cluster="c", settle_seconds=9)
    ) == Deployment(Layout("c", "tally"), 9 * 10**9)
    assert deployed(Settings(events_url="clickhouse://ch.example")).layout == Layout("", "default")


def test_a_restart_after_a_kill_ticks_at_once(tmp_path: Path) -> None:
    killed = assemble(Settings(data=tmp_path))
    fence = killed.lease.hold()
    killed.events.close()  # as a kill does: nothing else is tidied up
    again = assemble(Settings(data=tmp_path))

    assert again.lease.is_held
    assert (again.lease.hold(), killed.lease.hold()) == ((fence or 0) + 1, None)
    killed.close()
    again.close()
