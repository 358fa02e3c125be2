"""`python -m benchmarks.record [options of asv run]`: record HEAD, compare with the last record.

Times alone, unless ``--bench`` says otherwise: ``--bench .`` is for memory and counts as well, three times as long.

Works offline in the present environment. asv names what it records after the interpreter's location; here
the name is "existing" everywhere, so that records from different places compare, and the machine is named
after its processor.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.peers._report import machine, versions

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "results" / "asv"


def git(*args: str) -> str:
    """Return what git says."""
    return subprocess.run(["git", *args], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def asv(*args: str) -> int:
    """Run asv with the configuration of every day; return its exit status."""
    return subprocess.run([sys.executable, "-m", "asv", *args], cwd=ROOT, check=False).returncode


def machine_name() -> str:
    """Return a name by which equal machines are equal."""
    here = machine()
    return re.sub(r"[^a-z0-9]+", "-", f"{here['cpu']} {here['cores']} cores".lower()).strip("-")


def describe(folder: Path) -> None:
    """Write what the machine is beside its records (asv keeps only what differs from its guess)."""
    here = machine()
    about = {"cpu": here["cpu"], "num_cpu": here["cores"], "os": here["system"], "arch": platform.machine()}
    record = {"machine": folder.name, **about, "version": 1}
    (folder / "machine.json").write_text(json.dumps(record, indent=4) + "\n", encoding="utf8")


def rename(folder: Path, commit: str) -> None:
    """Give asv's fresh record of `commit` its place-independent name, and note the versions it ran with."""
    for path in folder.glob(f"{commit[:8]}-existing-py*.json"):
        record = json.loads(path.read_text(encoding="utf8"))
        record["env_name"] = "existing"
        record["python"] = record["params"]["python"] = platform.python_version()
        record["requirements"] = versions(("scikit-learn", "array-api-compat", "array-api-extra"))
        named = folder / f"{commit[:8]}-existing.json"
        if named.exists():  # part of the suite was measured before
            record["results"] = json.loads(named.read_text(encoding="utf8"))["results"] | record["results"]
        named.write_text(json.dumps(record), encoding="utf8")
        path.unlink()


def last_record(folder: Path, history: list[str]) -> str | None:
    """Return the newest commit of `history` that has a record."""
    return next((commit for commit in history if (folder / f"{commit[:8]}-existing.json").exists()), None)


def main(options: list[str]) -> int:
    """Record HEAD and compare; return asv's exit status, which is not 0 when a benchmark failed."""
    head, *before = git("rev-list", "HEAD").split()
    name = machine_name()
    if not {"-b", "--bench"} & {option.partition("=")[0] for option in options}:
        options = ["--bench", "time", *options]
    if git("status", "--porcelain", "--", "numopt", "benchmarks/*.py"):
        print(f"note: there are uncommitted changes, and they are recorded as {head[:8]}")
    subprocess.run([sys.executable, "-m", "numopt", "warmup"], cwd=ROOT, check=True)  # compiling is not timed
    asv("machine", "--yes", "--machine", name)
    status = asv("run", "--machine", name, "--set-commit-hash", head, *options)
    describe(RECORDS / name)
    rename(RECORDS / name, head)
    last = last_record(RECORDS / name, before)
    if last is None:
        print("nothing recorded before on this machine")
    else:
        print(f"{last[:8]} and {head[:8]} on {name} (+ slower, - faster):")
        asv("compare", "--machine", name, last, head)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
