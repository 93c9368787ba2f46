"""A meter from environment variables, for hosts that build our classes without arguments.

TALLYSTICK_ENDPOINT      the receiver's base address     http://127.0.0.1:4318
TALLYSTICK_OUTBOX        the folder of the outbox        tallystick-outbox
TALLYSTICK_INGEST_KEY    the receiver's ingest key       none
OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES              as OpenTelemetry defines them
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

from tallystick_otel.meter import Meter, install

ENDPOINT = "http://127.0.0.1:4318"
FOLDER = "tallystick-outbox"


@lru_cache(maxsize=1)
def meter_of_environment() -> Meter:
    """Return this process's meter; the first call installs it.

    Raises:
        EndpointError: the address in the environment can never be one.
    """
    said = os.environ
    return install(
        said.get("TALLYSTICK_ENDPOINT") or ENDPOINT,
        said.get("TALLYSTICK_OUTBOX") or FOLDER,
        said.get("TALLYSTICK_INGEST_KEY", ""),
        resource_of(said),
    )


def resource_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the resource attributes that the environment gives.

    >>> resource_of({"OTEL_RESOURCE_ATTRIBUTES": "tallystick.pool=shared, region=cn%2Dhangzhou"})
    {'tallystick.pool': 'shared', 'region': 'cn-hangzhou'}
    """
    listed = environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    pairs = (pair.partition("=") for pair in listed if "=" in pair)
    resource = {name.strip(): unquote(value.strip()) for name, _, value in pairs}
    service = environment.get("OTEL_SERVICE_NAME")
    return {**resource, "service.name": service} if service else resource
