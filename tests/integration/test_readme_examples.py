"""What the README says about asking for calls works as it is printed, in processes without any settings of a test."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import redis

from settings.surroundings import surroundings
from worker.sandbox.server import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def printed() -> list[str]:
    return PYTHON.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def run(code: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=surroundings() | environ, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_calls_asked_for_from_python_are_in_the_store_that_the_settings_name(
    redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox
) -> None:
    """No broker was set before: without one of ours, dramatiq would invent one on localhost and put them there."""
    code = f"{printed()[0]}\nprint(message.message_id)"
    done = run(code, {**sandbox.environment(), "PACELINE_REDIS_URL": redis_url})
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    assert len(list(store.scan_iter("*:job:*"))) == 2
    assert any(key.decode().endswith(f":job:{job}") for key in store.scan_iter("*:job:*"))


def test_the_same_key_asked_for_again_is_the_same_job(
    redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox
) -> None:
    code = f"{printed()[0]}\nprint(message.message_id)"
    environ = {**sandbox.environment(), "PACELINE_REDIS_URL": redis_url}
    assert run(code, environ).stdout == run(code, environ).stdout != ""


def test_a_script_whose_settings_are_wrong_is_told_in_one_line(redis_url: str) -> None:
    done = run("from tasks.hub import authorize_token", {"PACELINE_REDIS_URL": redis_url, "PACELINE_THREDS": "3"})
    assert done.returncode == 2
    assert done.stderr == "paceline: PACELINE_THREDS: unknown variable, did you mean PACELINE_THREADS?\n"


def test_calls_asked_for_from_another_folder_are_in_the_checkouts_own_store(tmp_path: Path, sandbox: Sandbox) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    for package in ("settings", "tasks", "worker"):
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
    elsewhere.mkdir()
    environ = surroundings() | sandbox.environment() | {"PYTHONPATH": str(checkout)}
    words = {"env": environ, "capture_output": True, "text": True, "timeout": 60, "check": False}
    code = f"{printed()[0]}\nprint(message.message_id)"
    asked = subprocess.run([sys.executable, "-c", code], cwd=elsewhere, **words)
    assert asked.returncode == 0, asked.stderr
    show = [sys.executable, "-m", "worker", "jobs", "show", asked.stdout.strip()]
    for folder in (checkout, elsewhere):
        shown = subprocess.run(show, cwd=folder, **words)
        assert shown.returncode == 0, shown.stderr
    assert list(elsewhere.iterdir()) == []
