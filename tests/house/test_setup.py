"""Setting up on machines that lack something: one clear line, and nothing half-made. No package is downloaded here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.source import ROOT

TOOLS = ("sh", "awk", "dirname", "make", "rm", "touch")
WITHOUT_ENSUREPIP = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; *"print("*) echo 3.12;; esac\n'
TOO_OLD = "#!/bin/sh\nexit 1\n"
BREAKS_HALF_WAY = '#!/bin/sh\ncase "$2" in venv) mkdir -p .venv/bin; exit 1;; esac\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout on a machine that has make and a shell, and no Python yet."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is needed to run this test"
        (tmp_path / "bin" / tool).symlink_to(found)
    return folder


def make(checkout: Path, *words: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        ["make", *words], cwd=checkout, env={"PATH": str(checkout.parent / "bin")}, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make:")]
    return done.returncode, said


def python(checkout: Path, script: str) -> None:
    program = checkout.parent / "bin" / "python3"
    program.write_text(script)
    os.chmod(program, 0o755)


def test_make_alone_names_every_target_and_installs_nothing(checkout: Path) -> None:
    done, said = make(checkout)
    named = {line.split()[1] for line in said}
    assert done == 0
    assert named >= {"setup", "demo", "test", "slow", "lint", "types", "imports", "check", "clean"}
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("script", "advice"),
    [
        (None, "apt install python3 python3-venv"),
        (TOO_OLD, "Python 3.11 or newer was not found"),
        (WITHOUT_ENSUREPIP, "apt install python3.12-venv"),
    ],
)
def test_a_machine_without_a_usable_python_is_told_so_in_one_line(
    checkout: Path, script: str | None, advice: str
) -> None:
    if script is not None:
        python(checkout, script)
    done, said = make(checkout, "setup")
    assert done == 2
    assert [advice in line for line in said] == [True]
    assert not (checkout / ".venv").exists()


def test_a_set_up_that_breaks_half_way_leaves_no_folder(checkout: Path) -> None:
    python(checkout, BREAKS_HALF_WAY)
    done, _ = make(checkout, "setup")
    assert done == 2
    assert not (checkout / ".venv").exists()


def test_where_uv_cannot_install_pip_is_tried_too(checkout: Path) -> None:
    """uv knows nothing of pip's configuration, which may be the only way to an index."""
    uv = checkout.parent / "bin" / "uv"
    uv.write_text("#!/bin/sh\ncase \"$1\" in venv) /bin/mkdir -p .venv/bin;; *) echo no way out; exit 2;; esac\n")
    os.chmod(uv, 0o755)
    python(checkout, WITHOUT_ENSUREPIP)
    done, said = make(checkout, "setup")
    assert done == 2
    assert said[0] == "no way out"
    assert "trying pip" in said[1]
    assert "apt install python3.12-venv" in said[2]
    assert not (checkout / ".venv").exists()


def test_a_folder_that_an_interrupted_run_left_is_made_anew(checkout: Path) -> None:
    (checkout / ".venv" / "half-made").mkdir(parents=True)
    python(checkout, TOO_OLD)
    make(checkout, "setup")
    assert not (checkout / ".venv").exists()
