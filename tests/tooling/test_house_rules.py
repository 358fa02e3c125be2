"""Each house rule finds what it is meant to find, and lets the allowed way pass."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("house_rules", ROOT / ".ci" / "check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BROKEN = [
    ("numopt/ot/_a.py", "x = xp.zeros(3)", "device"),
    ("numopt/ot/_a.py", "x = p.xp.asarray([1.0], dtype=t)", "device"),
    ("numopt/ot/_a.py", "x = y.item()", "item"),
    ("numopt/_kernels/cpu/ot.py", "from numba import njit, prange", "jit"),
    ("numopt/_kernels/cpu/ot.py", "@numba.njit(cache=True)\ndef f(): pass", "jit"),
    ("numopt/ot/_a.py", "def f():\n    print('hello')", "print"),
    ("numopt/ot/_a.py", "import numba", "lazy"),
    ("numopt/ot/_a.py", "from scipy import optimize", "lazy"),
    ("numopt/ot/_a.py", "from scipy.optimize import linprog", "lazy"),
    ("numopt/ot/_a.py", "try:\n    import cupy.cuda\nexcept ImportError:\n    pass", "lazy"),
    ("numopt/_kernels/cpu/ot.py", "import sklearn", "lazy"),
    ("numopt/ot/_a.py", "class A:\n    import sklearn", "lazy"),
]

KEPT = [
    ("numopt/ot/_a.py", "x = xp.zeros(3, device=d)"),
    ("numopt/ot/_a.py", "x = xp.zeros(3, **place)"),
    ("numopt/ot/_a.py", "x = xp.zeros_like(y)"),
    ("numopt/ot/_a.py", "x = np.zeros(3)"),
    ("numopt/_array.py", "x = y.item()"),
    ("numopt/_kernels/cpu/_jit.py", "from numba import njit"),
    ("numopt/_kernels/cpu/ot.py", "from numba import prange\nfrom numopt._kernels.cpu._jit import jit"),
    ("numopt/_kernels/cuda/ot.py", "import cupy as cp"),
    ("numopt/__main__.py", "print('hello')"),
    ("numopt/ot/_a.py", "def f():\n    from scipy.optimize import linprog"),
    ("numopt/ot/_a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import cupy"),
    ("numopt/ot/_a.py", "import scipy.sparse\nfrom scipy import special"),
    ("numopt/estimators/_a.py", "from sklearn.base import BaseEstimator"),
]


@pytest.mark.parametrize(("path", "source", "rule"), BROKEN)
def test_a_broken_rule_is_found(check, path, source, rule):
    assert [text.split(":")[0] for _, text in check.problems(path, source)] == [rule]


@pytest.mark.parametrize(("path", "source"), KEPT)
def test_the_allowed_way_passes(check, path, source):
    assert list(check.problems(path, source)) == []
