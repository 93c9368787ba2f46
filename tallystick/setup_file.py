"""A setup file as the service takes it."""

import json
from pathlib import Path

import yaml


def setup_json(file: Path) -> bytes:
    """Return a setup file as JSON.

    Raises:
        SetupFileError: it is not YAML, or not a mapping.
    """
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise SetupFileError(file, str(error)) from error
    if not isinstance(document, dict):
        raise SetupFileError(file, type(document).__name__)
    return json.dumps(document, default=lambda v: v.isoformat()).encode()


class SetupFileError(ValueError):
    """A setup file that is no mapping in YAML."""

    def __init__(self, file: Path, found: str) -> None:
        super().__init__(f"{file} must be a YAML mapping, found {found}")
