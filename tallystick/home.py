"""The page at /: links to what a person may want first, with nothing loaded from elsewhere."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from urllib.parse import quote

from metering.period import zone_of
from metering.store import Account

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .3rem 1rem .3rem 0; text-align: left }
th { border-bottom: 1px solid } a { color: #0b57d0 }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } a { color: #8ab4f8 } }
"""


def home_page(accounts: Sequence[Account], now: datetime) -> str:
    """Return the page: every account with its last three months, and the other things to read."""
    rows = "".join(_row(account, now) for account in accounts)
    none_yet = "<p>No account is declared yet: <code>tallystick apply setup.yaml</code>.</p>"
    bills = f"<table><tr><th>account</th><th>bills</th></tr>{rows}</table>" if rows else none_yet
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Tallystick</title>'
        f"<style>{_STYLE}</style><h1>Tallystick</h1>"
        f"<p>Send OTLP to <code>/v1/traces</code> and <code>/v1/logs</code> of this address.</p>"
        f"<h2>Bills</h2>{bills}<h2>Usage</h2><ul>"
        f'<li><a href="/v1/usage">by account, pool and model</a>'
        f'<li><a href="/v1/usage?by=hour,account">by hour</a>'
        f'<li><a href="/v1/conflicts">conflicts</a>'
        f'<li><a href="/v1/quarantine">set aside, and held back</a>'
        f'<li><a href="/v1/gaps">missing records</a></ul>'
        f'<h2>Workers</h2><ul><li><a href="/v1/targets">targets</a>'
        f'<li><a href="/v1/signals">signals</a></ul>'
        f'<h2>Service</h2><ul><li><a href="/healthz">health</a>'
        f'<li><a href="/openapi.json">OpenAPI description</a></ul></html>'
    )


def _row(account: Account, now: datetime) -> str:
    links = ", ".join(
        f'<a href="/v1/bills/{quote(account.id, safe="")}/{month}">{month}</a>'
        for month in _last_months(account, now)
    )
    return f"<tr><td>{escape(account.name)} ({escape(account.id)})</td><td>{links}</td></tr>"


def _last_months(account: Account, now: datetime) -> Iterator[str]:
    day = now.astimezone(zone_of(account.zone)).replace(day=1)
    for _ in range(3):
        yield f"{day:%Y-%m}"
        day = (day - timedelta(days=1)).replace(day=1)
