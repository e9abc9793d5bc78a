"""Unit: the picture of the demo's table shows a moment that was seen, and asks for nothing from elsewhere."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from worker.demo.picture import Picture
from worker.demo.watch import Budget, Look, Told
from worker.limiter.holds import Hold
from worker.limiter.window import WindowState

PARTY = "hub:IN-ABC"
HOLD = Hold(f"account:{PARTY}", "credential", "", "", 0, None, False)
ALERT = Told("Account hub:IN-ABC is held: credential refused (2002)", 1, True)


def look(waiting: int, *, held: bool = False) -> Look:
    window = WindowState("tokens", 20, 20, 2.0, used=20, in_flight=0, foreign=0, shut_s=0.0)
    budget = Budget(PARTY, "tokens", (window,), Counter(waiting=waiting, done=7))
    return Look([budget], [("worker-1", "running")], [(HOLD, 1.0)] if held else [], [ALERT] if held else [])


def drawn(tmp_path: Path, *looks: Look) -> str:
    picture = Picture()
    for number, each in enumerate(looks):
        picture.see(each, f"look {number}")
    picture.write(tmp_path / "picture.svg")
    return (tmp_path / "picture.svg").read_text(encoding="utf-8")


def text_of(svg: str) -> str:
    return " ".join("".join(ElementTree.fromstring(svg).itertext()).split())


def test_the_picture_shows_the_moment_with_the_most_to_see(tmp_path: Path) -> None:
    said = text_of(drawn(tmp_path, look(300), look(120, held=True), look(90, held=True), look(0)))
    assert "look 1" in said
    assert "tokens" in said and "20/20" in said
    assert "IN-ABC for 1 s, cause: credential; 120 calls wait" in said


def test_the_picture_names_no_address_but_that_of_its_own_format(tmp_path: Path) -> None:
    svg = drawn(tmp_path, look(1))
    assert set(re.findall(r"\w+://[^\s\"']+", svg)) == {"http://www.w3.org/2000/svg"}


def test_two_pictures_of_the_same_moment_are_the_same_file(tmp_path: Path) -> None:
    assert drawn(tmp_path, look(5, held=True)) == drawn(tmp_path, look(5, held=True))


def test_without_any_look_nothing_is_written(tmp_path: Path) -> None:
    Picture().write(tmp_path / "picture.svg")
    assert not (tmp_path / "picture.svg").exists()
