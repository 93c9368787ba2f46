"""Accounts and the identities that they are known by, over HTTP."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from metering.identity import FOR_EVER, Identity, Kind
from metering.people_store import IdentitiesWanted, PeopleStore
from metering.period import parse_instant
from metering.store import Account, MeterStore
from tallystick.declared import Instant
from tallystick.setup import AccountDeclared, IdentityDeclared, Setup


class Apply(Protocol):
    """Stores what is declared, as a setup file is."""

    def __call__(self, declared: Setup, *, dry_run: bool = False) -> dict[str, int]:
        """Return how many of each; ``dry_run``: store nothing."""


Limit = Annotated[int, Field(ge=1, le=1000)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountsAsked(_Asked):
    """Which accounts are listed."""

    after: str = ""
    limit: Limit = 100


class IdentitiesAsked(_Asked):
    """Which identities are listed."""

    account: str | None = None
    kind: Kind | None = None
    at: Instant | None = None
    after: str = ""
    limit: Limit = 100


def routes(meter: MeterStore, people: PeopleStore, apply: Apply) -> APIRouter:
    """Build the routes; what is declared goes the way of a setup file."""
    router = APIRouter()

    @router.get("/v1/accounts", summary="Who pays")
    def accounts(asked: Annotated[AccountsAsked, Query()]) -> dict[str, Any]:
        """Return accounts by id; ``next`` is what ``after`` must be for the next page."""
        found = people.accounts(asked.after, asked.limit + 1)
        page = found[: asked.limit]
        return {
            "rows": [account_json(one) for one in page],
            "next": page[-1].id if len(found) > len(page) else None,
        }

    @router.get("/v1/accounts/{account}", summary="One account")
    def one(account: str) -> dict[str, Any]:
        """Return an account."""
        return account_json(meter.account(account))

    @router.post("/v1/accounts", summary="Add an account, or rename it")
    def put(declared: AccountDeclared) -> dict[str, Any]:
        """Store an account; its zone never changes."""
        apply(Setup(accounts=(declared,)))
        return account_json(meter.account(declared.id))

    @router.get("/v1/identities", summary="Which raw identities belong to which account")
    def identities(asked: Annotated[IdentitiesAsked, Query()]) -> dict[str, Any]:
        """Return identities by kind, value and first hour."""
        wanted = IdentitiesWanted(
            asked.account,
            asked.kind,
            asked.at,
            _place(asked.after) if asked.after else None,
            asked.limit + 1,
        )
        found = people.identities(wanted)
        page = found[: asked.limit]
        return {
            "rows": [identity_json(one) for one in page],
            "next": _written(page[-1]) if len(found) > len(page) else None,
        }

    @router.post("/v1/identities", summary="Bind an identity to an account")
    def bind(declared: IdentityDeclared) -> dict[str, Any]:
        """Bind it, or change until when it is bound; hours that it touches are closed again."""
        apply(Setup(identities=(declared,)))
        return identity_json(declared.identity())

    return router


def account_json(account: Account) -> dict[str, Any]:
    """Return an account for JSON."""
    return {"id": account.id, "name": account.name, "zone": account.zone}


def identity_json(identity: Identity) -> dict[str, Any]:
    """Return an identity for JSON; ``valid_to`` is null where it has no end."""
    end = identity.valid.end
    return {
        "kind": identity.kind.value,
        "value": identity.value,
        "account": identity.account,
        "project": identity.project,
        "valid_from": identity.valid.start.isoformat(),
        "valid_to": None if end == FOR_EVER else end.isoformat(),
    }


def _written(identity: Identity) -> str:
    told = [identity.kind.value, identity.value, identity.valid.start.isoformat()]
    return urlsafe_b64encode(json.dumps(told).encode()).decode()


def _place(after: str) -> tuple[str, str, datetime]:
    try:
        kind, value, since = json.loads(urlsafe_b64decode(after))
        return str(kind), str(value), parse_instant(str(since))
    except ValueError as error:
        raise PlaceError(after) from error


class PlaceError(ValueError):
    """What is no place in a list."""

    def __init__(self, after: str) -> None:
        super().__init__(f"after must be the next of the page before, found {after[:80]!r}")
