"""Accept, over HTTP: the text of `paceline_calls.py`: a typed function for every call of the catalogue.

Promise: made from the OpenAPI document, so a type says what the intake takes, by the vendors' own names.
Scope: writing; `python -m tests.house.test_openapi` puts it into its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

WIDTH = 112
HEAD = '''"""Accept, over HTTP: every call of the catalogue, typed: one more file to copy beside `paceline_client.py`.

    call = stellantis_b2b_get_vehicle_status("stellantis:fleet-1", {"fid": "F", "vid": "V"}, key="k-1")
    job = client.ask(call)

Promise: what a type checker lets through has the members that the intake knows, by the vendors' own names.
Scope: types; patterns, lengths and ranges are the intake's to check. Made from `openapi.json` by
`describing_calls.py`, for Python 3.11 and later.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, Unpack

Priority = Literal["urgent", "normal", "bulk"]


class Asked(TypedDict, total=False):
    """What every call takes besides."""

    key: str
    priority: Priority
    deadline_s: float
    callback_url: str


class Call(Asked):
    """A call, ready for `Client.ask` and, with others, for `Client.enqueue_many`."""

    operation: str
    account: str
    params: Any
    body: Any
'''
Schema = Mapping[str, Any]
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def typed_calls(document: Schema) -> str:
    """The module."""
    schemas = document["components"]["schemas"]
    calls = {name.removeprefix("call."): schemas[name] for name in sorted(schemas) if name.startswith("call.")}
    parts = [HEAD]
    parts += ["\n".join(_record(name, schemas[name])) for name in sorted(_used(calls.values(), schemas))]
    parts += ["\n".join(_function(name, one)) for name, one in calls.items()]
    return "\n\n".join(part.rstrip("\n") + "\n" for part in parts)


def _used(found: Any, schemas: Schema) -> set[str]:
    """The models behind these, and those behind them."""
    names: set[str] = set()
    waiting = set(re.findall(r"#/components/schemas/([A-Z]\w*)", str(list(found))))
    while waiting:
        names |= waiting
        waiting = set(re.findall(r"#/components/schemas/([A-Z]\w*)", str([schemas[one] for one in waiting]))) - names
    return {one for one in names if schemas[one].get("type") == "object"}


def _record(name: str, schema: Schema) -> Iterator[str]:
    needed = set(schema.get("required", ()))
    yield f"class {name}(TypedDict):"
    yield from [f'    """{_words(schema, name)}"""', *([""] if schema.get("properties") else [])]
    for member, shape in schema.get("properties", {}).items():
        kind = _kind(shape)
        yield from _broken(f"    {member}: {kind if member in needed else f'NotRequired[{kind}]'}")


def _function(name: str, schema: Schema) -> Iterator[str]:
    members, needed = schema["properties"], set(schema["required"])
    words, given = ["account: str"], {"params": "{}", "body": "None"}
    for part, nothing in (("params", " or {}"), ("body", "")):
        kind = _kind(members[part])
        if kind not in ("None", "NoParams"):
            always = part in needed
            words.append(f"{part}: {kind}" + ("" if always else " = None" if "None" in kind else " | None = None"))
            given[part] = part + ("" if always else nothing)
    asks = {"operation": f'"{name}"', "account": "account"} | given
    yield f"def {name.replace('.', '_')}("
    yield f"    {', '.join([*words, '**asked: Unpack[Asked]'])}"
    yield ") -> Call:"
    yield from _documented(schema["description"])
    yield "    return {"
    yield from (f'        "{part}": {value},' for part, value in asks.items())
    yield from ("        **asked,", "    }")


def _documented(words: str) -> list[str]:
    lines = wrap(words, WIDTH)
    first, rest = lines[0], [f"    {line}" for line in lines[1:]]
    return [f'    """{first}"""'] if not rest else [f'    """{first}', *rest, '    """']


def _words(schema: Schema, name: str) -> str:
    return str(schema.get("description") or f"{name} of the catalogue.").splitlines()[0]


def _kind(schema: Schema) -> str:
    """A schema as a type."""
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        return "Any" if name == "JsonValue" else str(name)
    if "const" in schema or "enum" in schema:
        return f"Literal[{', '.join(_quoted(one) for one in schema.get('enum', [schema.get('const')]))}]"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(_kind(one) for one in options))
    if schema.get("type") == "array":
        return f"list[{_kind(schema.get('items', {}))}]"
    if schema.get("type") == "object":
        return "dict[str, Any]"
    return PLAIN.get(schema.get("type", ""), "Any")


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _broken(line: str) -> list[str]:
    """A line that is too long, at the commas of its choices."""
    if len(line) <= WIDTH + 8 or "Literal[" not in line:
        return [line]
    before, choices, after = re.fullmatch(r"(.*?Literal\[)(.*?)(\].*)", line).groups()  # type: ignore[union-attr]
    return [before, *(f"        {one}" for one in wrap(choices, WIDTH, break_on_hyphens=False)), f"    {after}"]
