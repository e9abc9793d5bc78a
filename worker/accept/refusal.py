"""Accept: turns what pydantic found into one sentence: what was expected, what came, how to mend it.

Promise: values of fields marked `Personal`, and of anything below them, are described but never shown.
Scope: wording only; what is right or wrong is decided by the models.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

EXPECTED = "paceline_expected"
RULE = "paceline_rule"
AT_ONCE = 5  # problems that one refusal tells in full
SHOWN = 60  # characters of a value that a refusal repeats


class Personal:
    """Mark inside `Annotated`: identifies a person or a car, so a refusal describes its value without showing it."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'? ` or nothing."""
    return next((f"did you mean {name!r}? " for name in near(word, known)), "")


def near(word: str, known: Iterable[str]) -> list[str]:
    """The known word that is nearest, if one is near."""
    by_lower = {name.lower(): name for name in known}
    return [by_lower[one] for one in get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)]


def sentence(operation: str, part: str, model: type[BaseModel], error: ValidationError) -> str:
    """Every problem in full, up to a number; beyond it how many more there are."""
    problems = error.errors(include_url=False, include_context=True)
    # A mistyped name also shows up as a missing one; the mistyped one tells more.
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    return f"{operation}: {together(list(_each(part, model, problems)))}"


def together(said: Sequence[str]) -> str:
    """Several refusals as one, so that nobody mends them one at a time."""
    more = f" ({len(said) - AT_ONCE} more to mend after these.)" if len(said) > AT_ONCE else ""
    return " Also: ".join(said[:AT_ONCE]) + more


def _each(part: str, model: type[BaseModel], problems: Sequence[ErrorDetails]) -> Iterator[str]:
    """One by one, without the missing ones that were only mistyped."""
    meant: set[tuple[int | str, ...]] = set()
    for problem in problems:
        loc = problem["loc"]
        if problem["type"] == "extra_forbidden":
            owner = _find(model, loc)[0]
            meant |= {(*loc[:-1], name) for name in near(str(loc[-1]), _names(owner) if owner is not None else [])}
        if problem["type"] != "missing" or tuple(loc) not in meant:
            yield _one(part, model, problem)


def _one(part: str, model: type[BaseModel], problem: ErrorDetails) -> str:
    where = ".".join([part, *(str(step) for step in problem["loc"])])
    owner, field, personal = _find(model, problem["loc"])
    if problem["type"] == "extra_forbidden":
        return _unknown(where, str(problem["loc"][-1]), owner)
    if problem["type"] == "missing":
        meaning = f" ({words})" if field is not None and (words := _description(field)) else ""
        return f"expected {where}{meaning}, got nothing; add it."
    if problem["type"] == RULE:
        return f"{where}: {problem['msg']}."
    return (
        f"expected {where} to be {_wanted(problem, field)}, got {shown(problem['input'], personal)}; correct the value."
    )


def _unknown(where: str, name: str, owner: type[BaseModel] | None) -> str:
    names = _names(owner) if owner is not None else []
    if name == "client_id":
        return f"{where} is not a parameter: Paceline adds the credentials of the account itself; leave it out."
    takes = f"known names are {', '.join(names)}" if names else "nothing is expected here"
    return f"{where[: SHOWN * 2]} is not known; {did_you_mean(name, names)}{takes}; rename it or leave it out."


def _wanted(problem: ErrorDetails, field: FieldInfo | None) -> str:
    context = problem.get("ctx", {})
    match problem["type"]:
        case "string_pattern_mismatch" if field is not None and (words := _description(field)):
            return words
        case "string_pattern_mismatch":
            return f"text that matches {context['pattern']}"
        case "string_too_long" | "too_long":
            return f"at most {_count(context['max_length'], problem)}"
        case "string_too_short" | "too_short":
            return f"at least {_count(context['min_length'], problem)}"
        case "greater_than_equal":
            return f"at least {context['ge']}"
        case "less_than_equal":
            return f"at most {context['le']}"
        case "literal_error":
            return f"one of {context['expected']}".replace("'", "").replace(" or ", ", ")
        case kind if kind.startswith("datetime"):
            return "a time like 2026-01-31T09:30:00Z"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "an object"
        case kind if kind == EXPECTED:
            return problem["msg"]
        case _:
            return _wording(problem["msg"])


def _count(number: int, problem: ErrorDetails) -> str:
    unit = "character" if isinstance(problem["input"], str) else "item"
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _wording(message: str) -> str:
    text = message.split(", unable to parse")[0]
    return text.removeprefix("Input should be ") if text.startswith("Input should be ") else f"valid ({text})"


def shown(value: Any, personal: bool) -> str:
    """A value as a refusal may repeat it: short, on one line, and never a person's or a car's."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if personal:
        return f"a value of {len(str(value))} characters (personal, not shown)"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(str(value))} characters)"


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _find(model: type[BaseModel], loc: Sequence[int | str]) -> tuple[type[BaseModel] | None, FieldInfo | None, bool]:
    """The model that owns the last step of `loc`, its field there, and whether anything on the way is personal."""
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    personal = False
    last = len(loc) - 1
    for position, step in enumerate(loc):
        if isinstance(step, int) or owner is None:
            continue
        field = next((f for name, f in owner.model_fields.items() if step in (f.alias, name)), None)
        personal = personal or (field is not None and _is_personal(field))
        if field is not None and any(isinstance(later, str) for later in loc[position + 1 : last + 1]):
            owner = _model_in(field.annotation)
    return owner, field, personal


def _description(field: FieldInfo) -> str:
    return field.description or next(_descriptions_in(field.annotation), "")


def _descriptions_in(annotation: Any) -> Iterator[str]:
    """Of `Annotated[…] | None` and of list items, where the description stands further in."""
    for mark in getattr(annotation, "__metadata__", ()):
        if isinstance(mark, FieldInfo) and mark.description:
            yield mark.description
    for inner in get_args(annotation):
        yield from _descriptions_in(inner)


def _is_personal(field: FieldInfo) -> bool:
    return any(isinstance(mark, Personal) for mark in field.metadata) or _marked(field.annotation)


def _marked(annotation: Any) -> bool:
    if any(isinstance(mark, Personal) for mark in getattr(annotation, "__metadata__", ())):
        return True
    return any(_marked(inner) for inner in get_args(annotation))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)
