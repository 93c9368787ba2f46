"""A service with one account, a node and a pool, and a little usage: what bills are tested on."""

from pathlib import Path
from typing import Any

import calls
from builders import T0, chat_span, traces
from conftest import Service
from forking import run_command

SETUP = """
accounts:
  - {id: acme, name: Acme}
identities:
  - {kind: tenant, value: t-acme, account: acme}
resources:
  - id: n1
    account: acme
    region: cn-hangzhou
    spec: polar.pg.g4.xlarge.gu10
    states:
      - {state: running, start: "2026-09-21T10:59:30+08:00", end: "2026-09-21T12:50:30+08:00"}
contracts:
  - {id: c-node, account: acme, mode: hourly, region: cn-hangzhou, pool: dedicated, resource: n1,
     spec: polar.pg.g4.xlarge.gu10, start: "2026-09-01T00:00:00+08:00"}
  - {id: c-pool, account: acme, mode: token, region: cn-hangzhou, pool: shared,
     size_class: small, start: "2026-09-01T00:00:00+08:00"}
"""


def command(*words: str, service: Service | None = None, **environment: str) -> Any:
    """Run the command as a user would."""
    address = ["--url", service.address] if service else []
    return run_command(*words, *address, **environment)


def send(service: Service, spans: list[Any], **resource: str) -> None:
    body = traces(spans, **resource).SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    answer = calls.post(f"{service.address}/v1/traces", content=body, headers=headers, timeout=60)
    assert answer.status_code == 200


def declared(service: Service, folder: Path) -> Service:
    setup = folder / "setup.yaml"
    setup.write_text(SETUP)
    assert command("apply", str(setup), service=service).returncode == 0
    tokens = chat_span(1, 1_234_566, tallystick__pool="shared")
    while_it_ran = T0 - 38_600 * 10**9  # 11:30 in Shanghai
    free = chat_span(
        2, 500, while_it_ran, tallystick__pool="dedicated", tallystick__resource__id="n1"
    )
    send(service, [tokens, free], tenant__id="t-acme")
    return service
