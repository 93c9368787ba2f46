"""Read an operator's own table of metric names, in YAML: rows as engine_tables.py has them."""

import yaml
from pydantic import TypeAdapter, ValidationError

from collector.workers.engines import System


def parse_systems(text: str) -> tuple[System, ...]:
    """Read an operator's own table (YAML): a list of systems with their rows.

    Raises:
        MappingFileError: it is no such list, or names what does not exist.
    """
    try:
        return _SYSTEMS.validate_python(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MappingFileError(f"{where}: {first['msg']}" if where else first["msg"]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise MappingFileError(" ".join(str(error).split())) from None


_SYSTEMS = TypeAdapter(tuple[System, ...])


class MappingFileError(ValueError):
    """A mapping file that cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a mapping file must be a list of systems with rows, found: {reason}")
