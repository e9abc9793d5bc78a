"""How the text of a decision is put together from its parts."""

import re
from pathlib import Path

import pytest

from worker.store.composing import FOLDER, compose
from worker.store.keys import spell_keys

PARTS = """-- What it is.
local FULL = 3

--!late
local function deep(x) return x + FULL end

--!late
local function seldom(x) return deep(x) * 2 end

local function often(x)
  if x > FULL then return seldom(x) end
  return x
end

local function nobody(x) return x end
"""


def write(folder: Path, body: str, part: str = PARTS) -> Path:
    (folder / "parts").mkdir()
    (folder / "parts" / "sums.lua").write_text(part)
    (folder / "sum.lua").write_text(f"#!lua flags=allow-oom\n--!include sums\n{body}\n")
    return folder


def test_a_decision_has_what_it_needs_of_its_parts_and_nothing_else(tmp_path: Path) -> None:
    text = compose("sum", write(tmp_path, "return often(A.n)"))
    assert text.startswith("#!lua flags=allow-oom\n")
    assert "local function often" in text
    assert "nobody" not in text
    assert "What it is" not in text


def test_what_is_late_is_defined_by_the_first_who_calls_it(tmp_path: Path) -> None:
    text = compose("sum", write(tmp_path, "return often(A.n)"))
    maker, user = text.index("local function late_1()"), text.index("local function often")
    assert maker < text.index("local function deep") < text.index("local function seldom") < user
    assert "return late_1().seldom(x)" in text
    assert "return deep(x) * 2" in text, "who is defined with it calls it plainly"
    assert text.index("local FULL") < maker, "a number is no function, and stands before"


def test_what_is_late_and_needed_by_nobody_is_not_there(tmp_path: Path) -> None:
    assert "late" not in compose("sum", write(tmp_path, "return FULL"))


@pytest.mark.parametrize("use", ["local f = deep", "local function deep(y) return y end", "local deep = 2"])
def test_a_late_function_is_called_and_nothing_else(tmp_path: Path, use: str) -> None:
    with pytest.raises(ValueError, match="expected nothing but calls of deep, which is marked --!late"):
        compose("sum", write(tmp_path, f"{use}\nreturn often(A.n)"))


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.lua")))
def test_every_decision_can_be_composed(name: str) -> None:
    assert "--!" not in compose(name)


def test_a_key_in_a_key_is_spelt_too() -> None:
    spelt = spell_keys("redis.call('GET', k_message(redis.call('HGET', k_job(id), 'next'))) x = k_leases()")
    assert spelt == (
        "redis.call('GET', (P .. 'msg:' .. (redis.call('HGET', (P .. 'job:' .. (id)), 'next')))) x = (P .. 'leases')"
    )


def many(functions: int, names: str = "") -> str:
    """A part of so many functions, each of which calls the one before it and those of `names`."""
    made = ["local function f0(x) return x end\n"]
    made += [f"local function f{n}(x) return f{n - 1}(x){names} end\n" for n in range(1, functions)]
    return "-- Many.\n" + "\n".join(made)


def test_a_long_decision_is_defined_in_layers_so_that_what_a_function_uses_is_at_hand(tmp_path: Path) -> None:
    text = compose("sum", write(tmp_path, "return f49(A.n)", many(50)))
    assert text.count("return (function()\n") == text.count("end)()") == 2
    assert text.index("local function f19") < text.index("return (function()") < text.index("local function f20")


def test_a_short_one_is_not(tmp_path: Path) -> None:
    assert "return (function()" not in compose("sum", write(tmp_path, "return f9(A.n)", many(10)))


def test_no_layer_uses_more_of_those_around_it_than_lua_allows(tmp_path: Path) -> None:
    everybody = "\n".join(f"local n{number} = {number}" for number in range(62))
    body = "return f49(A.n) + " + " + ".join(f"n{number}" for number in range(62))
    text = compose("sum", write(tmp_path, body, f"-- Many.\n{everybody}\n{many(50)[9:]}"))
    assert "return (function()" in text, "as long as it is possible"
    outside = text.split("return (function()\n")
    for number in range(1, len(outside)):
        around, inside = "".join(outside[:number]), "".join(outside[number:])
        known = set(re.findall(r"^local (?:function )?(\w+)", around, re.M))
        assert len(known & set(re.findall(r"\w+", inside))) <= 60
