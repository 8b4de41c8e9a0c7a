"""What a record and its JSON have in common: fields by name."""

from collections.abc import Mapping
from typing import Any


def known_fields(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `data` that `cls` has a field for, so that files with further keys stay readable."""
    return {name: data[name] for name in cls.__match_args__ if name in data}


def fields_to_json(record: Any) -> dict[str, Any]:
    """Return the fields of a flat record by name; `dataclasses.asdict` would copy every value first."""
    return {name: getattr(record, name) for name in record.__match_args__}
