"""What is measured in a process of its own: its memory is nobody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def alone(module: str, *arguments: object) -> dict[str, Any]:
    """Return the JSON that a module of this folder prints in a process; RuntimeError with its last line if it fails."""
    command = [sys.executable, "-m", f"benchmarks.peers.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.splitlines() or ["?"])[-1])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
