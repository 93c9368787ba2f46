"""ClickHouse's own engine (chdb) behind ClickHouse's HTTP, for several processes to share.

It stands in for a server where none can be installed: the same engine and the same client, so
what it cannot show is only what a server adds (users, replication, its own limits).
Run: python clickhouse_stand_in.py DIRECTORY PORT
"""

import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import chdb
from clickhouse_connect.driver.compression import _zstd_decompress

_INSERT = re.compile(rb"\s*INSERT INTO (\S+)(?: \(([^)]*)\))? FORMAT (\w+)\n", re.IGNORECASE)
_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_OURS = re.compile(r"max_partitions_per_insert_block|optimize_on_insert|async_insert|prefer_.*")
"""Settings that are passed on; the others steer HTTP."""


class Engine:
    """One engine; statements one after the other."""

    def __init__(self, directory: Path) -> None:
        self._connection = chdb.connect(str(directory))
        self._lock = threading.Lock()

    def run(self, statement: bytes, asked: dict[str, str]) -> bytes:
        given = {k.removeprefix("param_"): v for k, v in asked.items() if k.startswith("param_")}
        settings = {k: v for k, v in asked.items() if _OURS.fullmatch(k)}
        with self._lock:
            if database := asked.get("database"):
                self._connection.query(f"USE {database}")
            for name, value in settings.items():
                self._connection.query(f"SET {name} = '{value}'")
            if insert := _INSERT.match(statement):
                return self._insert(insert, statement[insert.end() :])
            found = self._connection.query(statement.decode(), "TabSeparated", params=given)
            return found.bytes() or b""

    def _insert(self, insert: "re.Match[bytes]", rows: bytes) -> bytes:
        table, columns, form = (part.decode() if part else "" for part in insert.groups())
        with tempfile.NamedTemporaryFile() as file:
            file.write(rows)
            file.flush()
            into = f"INSERT INTO {table} {f'({columns})' if columns else ''}"
            self._connection.query(f"{into} FROM INFILE '{file.name}' FORMAT {form}")
            return b""


class Handler(BaseHTTPRequestHandler):
    """Answers what clickhouse-connect asks."""

    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "zstd":
            body = bytes(_zstd_decompress(body))
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        said = asked.pop("query", "").encode()
        statement = said + b"\n" + body if said else body
        try:
            found = self.engine.run(statement, asked)
        except RuntimeError as error:
            self._answer(500, str(error).encode(), {"X-ClickHouse-Exception-Code": "1"})
            return
        form = _FORMAT.search(statement)
        name = form.group(1).decode() if form else "TabSeparated"
        self._answer(200, found, {"X-ClickHouse-Format": name} if found else {})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    Handler.engine = Engine(Path(sys.argv[1]))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
