"""A broken CuPy first on the path does not disturb NumPy users."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import numpy as np
from tests.contract.cases import CASES, load_all_rooms
from tests.contract.harness import Call
from types import SimpleNamespace
load_all_rooms()
backend = SimpleNamespace(name="numpy", asarray=np.asarray, to_numpy=np.asarray)
for case in CASES:
    assert Call(case, backend, "float64")().success, case
"""


@pytest.mark.parametrize("error", ["ImportError('libcublas.so.12')", "OSError('no driver')"])
def test_numpy_users_notice_nothing(tmp_path, error):
    (tmp_path / "cupy.py").write_text(f"raise {error}\n")
    (tmp_path / "cupyx.py").write_text(f"raise {error}\n")
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(tmp_path), str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
