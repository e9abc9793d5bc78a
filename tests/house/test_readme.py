"""House: what the README prints is what the program says."""

import re
from pathlib import Path

from worker.fail.printed import as_markdown

README = Path(__file__).resolve().parents[2] / "README.md"
TABLE = re.compile(r"<!-- error table: begin -->\n(.*?)\n<!-- error table: end -->", re.DOTALL)


def test_the_readmes_error_table_is_the_one_the_program_uses() -> None:
    found = TABLE.search(README.read_text(encoding="utf-8"))
    assert found is not None, "the README has lost its error table"
    assert found[1].strip() == as_markdown(), "run: python -m tests.house.test_readme"


def test_every_module_the_readme_names_exists() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:worker|settings|tasks|tests|bench)/[\w/.]+)`", text))
    missing = sorted(path for path in named if not (README.parent / path).exists())
    assert named, "the README names no file at all"
    assert not missing


def test_every_picture_and_chapter_the_readme_leads_to_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    chapters = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    files = [link for link in links if "://" not in link and not link.startswith("#")]
    assert {link[1:] for link in links if link.startswith("#")} - chapters == set()
    assert [link for link in files if not (README.parent / link).exists()] == []
    assert "worker/demo/picture.svg" in files


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    block = f"<!-- error table: begin -->\n{as_markdown()}\n<!-- error table: end -->"
    README.write_text(TABLE.sub(lambda _: block, text), encoding="utf-8")
