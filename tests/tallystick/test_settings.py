from pathlib import Path

import pytest
from pydantic import ValidationError

from tallystick.settings import Settings


def test_defaults_listen_on_loopback_only() -> None:
    settings = Settings()

    assert settings.address == "http://127.0.0.1:4318"
    assert settings.ledger.endswith("/tallystick-data/ledger.db")
    assert settings.events.startswith("chdb:///")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "gateway.example"])
def test_listening_elsewhere_needs_both_keys(host: str) -> None:
    with pytest.raises(ValidationError, match="needs TALLYSTICK_INGEST_KEY and TALLYSTICK_ADMIN"):
        Settings(host=host)
    with pytest.raises(ValidationError, match="found no TALLYSTICK_ADMIN_KEY"):
        Settings(host=host, ingest_key="a")  # type: ignore[arg-type]
    assert Settings(host=host, ingest_key="a", admin_key="b").host == host  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_key(host: str) -> None:
    assert Settings(host=host).host == host


def test_the_environment_is_read_and_urls_override_the_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment is the thing under test."""
    monkeypatch.setenv("TALLYSTICK_DATA", "/srv/t")
    monkeypatch.setenv("TALLYSTICK_LEDGER_URL", "postgresql://db/t")

    settings = Settings()

    assert settings.data == Path("/srv/t")
    assert (settings.events, settings.ledger) == ("chdb:///srv/t/events", "postgresql://db/t")


def test_keys_do_not_show_when_settings_are_printed() -> None:
    assert "hunter2" not in repr(Settings(admin_key="hunter2"))  # type: ignore[arg-type]
