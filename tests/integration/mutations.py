"""How the suites show that a rule's test can fail: take the rule out of the source, run its test, expect the failure.

A `Mutation` names a rule, a file, a piece of its text, what to put there instead, and the test that must fail then. A
Lua file is changed in a copy of the scripts' folder; of a Python module the functions and plain constants that came
out different are exchanged in place. A row whose text is no longer there exactly once is a mistake in the table.
"""

import shutil
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from worker.store.composing import FOLDER, compose

ROOT = Path(__file__).parents[2]
PLAIN = (int, float, str, bool, tuple, frozenset)


@dataclass(frozen=True, slots=True)
class Mutation:
    """`file` is a script (`take.lua`, `parts/lease.lua`) or a module (`worker/broker/threads.py`); `given` are the
    arguments of a parametrized test, by name, and `dies_of` what its failure looks like: any error would do to fail,
    but a script that merely stumbles says nothing about the rule.
    """

    rule: str
    file: str
    text: str
    instead: str
    test: Callable[..., None]
    given: Mapping[str, Any] = field(default_factory=dict)
    dies_of: tuple[type[Exception], ...] = (AssertionError, LookupError)

    @property
    def is_script(self) -> bool:
        return self.file.endswith(".lua")

    @property
    def name(self) -> str:
        return f"{self.rule}: {self.test.__name__}"

    def mutated(self) -> str:
        """The file's text without the rule."""
        path = FOLDER / self.file if self.is_script else ROOT / self.file
        source = path.read_text(encoding="utf-8")
        found = source.count(self.text)
        assert found == 1, f"{self.file} has the text of this rule {found} times; correct the row: {self.text!r}"
        return source.replace(self.text, self.instead)


def without(
    rule: str,
    file: str,
    text: str,
    instead: str,
    *tests: Callable[..., None],
    dies_of: tuple[type[Exception], ...] = (AssertionError, LookupError),
    **given: Any,
) -> Iterator[Mutation]:
    """One row per test that must fail without the rule; `given` are the arguments of a parametrized one."""
    for test in tests:
        yield Mutation(rule, file, text, instead, test, given, dies_of)


def scripts_without(mutation: Mutation, into: Path) -> Path:
    """A folder of scripts in which the rule is missing."""
    folder = into / "lua"
    shutil.copytree(FOLDER, folder)
    (folder / mutation.file).write_text(mutation.mutated(), encoding="utf-8")
    return folder


@contextmanager
def module_without(mutation: Mutation) -> Iterator[None]:
    """The module named by the mutation lacks the rule inside this block."""
    module = import_module(mutation.file.removesuffix(".py").replace("/", "."))
    changed: dict[str, Any] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(compile(mutation.mutated(), str(module.__file__), "exec"), changed)
    with ExitStack() as stack:
        stack.callback(compose.cache_clear)  # its texts may have been made by what is exchanged here
        compose.cache_clear()
        exchanged = list(_exchanged(stack, vars(module), changed))
        assert exchanged, f"nothing in {mutation.file} came out different"
        yield


def _exchanged(stack: ExitStack, here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    for name, ours in list(here.items()):
        theirs = there.get(name)
        if isinstance(ours, type) and isinstance(theirs, type) and ours.__module__ == here.get("__name__"):
            yield from _exchanged_members(stack, ours, theirs)
        elif isinstance(ours, types.FunctionType) and isinstance(theirs, types.FunctionType):
            yield from _exchanged_code(stack, ours, theirs)
        elif isinstance(ours, PLAIN) and not name.startswith("__") and ours != theirs:
            stack.enter_context(patch.dict(here, {name: theirs}))  # type: ignore[arg-type]
            yield name


def _exchanged_members(stack: ExitStack, ours: type, theirs: type) -> Iterator[str]:
    for name, member in vars(ours).items():
        for mine, other in zip(_functions(member), _functions(vars(theirs).get(name)), strict=False):
            for exchanged in _exchanged_code(stack, mine, other):
                yield f"{ours.__name__}.{exchanged}"


def _functions(member: Any) -> list[types.FunctionType]:
    if isinstance(member, property):
        member = member.fget
    if isinstance(member, (staticmethod, classmethod)):
        member = member.__func__
    return [member] if isinstance(member, types.FunctionType) else []


def _exchanged_code(stack: ExitStack, ours: types.FunctionType, theirs: types.FunctionType) -> Iterator[str]:
    """Code is exchanged, not the function: whoever imported it by name gets the change too."""
    if ours.__code__ != theirs.__code__:
        stack.callback(setattr, ours, "__code__", ours.__code__)
        ours.__code__ = theirs.__code__
        yield ours.__name__
