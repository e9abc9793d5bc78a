"""Bench, installing: environments of their own for what Paceline is measured beside, under `var/bench/`.

It promises the versions of `requirements.lock` and `bullmq/package-lock.json`, by their hashes, installed again only
when those files have changed. Neither names an index: pip, uv and npm ask the one they are configured for. Its scope
ends at installing; a subject whose tools are missing is left out, in one line.
"""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
MADE = ROOT / "var" / "bench"
LOCK = HERE / "requirements.lock"
BULLMQ = HERE / "bullmq"


def _done(stamp: Path, *sources: Path) -> tuple[bool, str]:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    return stamp.exists() and stamp.read_text(encoding="ascii") == digest, digest


def _run(command: list[str], cwd: Path = ROOT) -> None:
    print(f"bench: {' '.join(command[:3])} … (once)", flush=True)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command[:3])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def python_of_peers() -> Path:
    """The interpreter that has the Python subjects' libraries; made at the first call."""
    folder = MADE / "venv"
    python, stamp = folder / "bin" / "python", folder / ".ready"
    done, digest = _done(stamp, LOCK)
    if done:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        _run([uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(LOCK)])
    else:
        venv.create(folder, with_pip=True)
        _run([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(LOCK)])
    stamp.write_text(digest, encoding="ascii")
    return python


def folder_of_bullmq() -> Path | str:
    """Where BullMQ and its program are ready to run, or why they are not."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "skipped: there is no node and npm on this machine"
    folder = MADE / "bullmq"
    stamp = folder / ".ready"
    sources = sorted(path for path in BULLMQ.iterdir() if path.is_file())
    done, digest = _done(stamp, *sources)
    if done:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in sources:
        shutil.copy(source, folder)
    # Its only script would build an optional accelerator.
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    stamp.write_text(digest, encoding="ascii")
    return folder
