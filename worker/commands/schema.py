"""Commands: what an operation takes, as lines for people: name, whether it must be there, form, meaning.

Promise: it is the schema that checks every call, not a description of it. Scope: the first level; what is inside an
object is in `operations NAME --json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
NAMED = 8


def fields(schema: Schema | None) -> Iterator[tuple[str, str, str, str]]:
    """Of each field: its name, whether it is required, its form, its meaning."""
    if schema is None:
        return
    required = schema.get("required", ())
    for name, given in schema.get("properties", {}).items():
        field, meaning = _without_null(given)
        shape = _resolved(field, schema)
        said = meaning or field.get("description") or shape.get("description") or ""
        needed = "required" if name in required else "optional"
        yield name, needed, _form(shape, schema), str(said).split("\n")[0].rstrip(".")


def _without_null(field: Schema) -> tuple[Schema, str]:
    """An optional field is described as one that may be null; null is left out."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    meaning = str(field.get("description") or "")
    if len(kinds) == 1:
        return kinds[0], meaning
    return field, meaning


def _resolved(field: Schema, whole: Schema) -> Schema:
    name = str(field.get("$ref", "")).rpartition("/")[2]
    found: Schema = whole.get("$defs", {}).get(name, field) if name else field
    return found


def _form(field: Schema, whole: Schema) -> str:
    if "enum" in field:
        values = [str(value) for value in field["enum"]]
        more = f" … ({len(values)} in all)" if len(values) > NAMED else ""
        return f"one of {', '.join(values[:NAMED])}{more}"
    if "const" in field:
        return f"always {field['const']}"
    if "anyOf" in field:
        return " or ".join(_form(_resolved(kind, whole), whole) for kind in field["anyOf"])
    kind = str(field.get("type", "any value"))
    if kind == "array":
        return f"list of {_form(_resolved(field.get('items', {}), whole), whole)}"
    form = {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)
    if field.get("format") == "date-time":
        return "time, such as 2026-01-31T09:00:00Z"
    return form + _bounds(field)


def _bounds(field: Schema) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" from {low}"
    if field.get("maxLength"):
        return f" of at most {field['maxLength']}"
    return ""
