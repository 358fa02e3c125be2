"""Thread pools are set together and set back."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_info

import numopt
from numopt import _threads
from numopt._threads import thread_count
from numopt.exceptions import InvalidInputError, InvalidTypeError


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_all_pools_follow_and_come_back():
    before = thread_count(), numba.get_num_threads(), blas_threads()
    with numopt.threads(2):
        assert thread_count() == 2 and numba.get_num_threads() == min(2, numba.config.NUMBA_NUM_THREADS)
        assert blas_threads() == {2}
        with numopt.threads(np.int64(1)):
            assert thread_count() == numba.get_num_threads() == 1 and blas_threads() == {1}
        assert thread_count() == 2
    assert (thread_count(), numba.get_num_threads(), blas_threads()) == before


def test_pools_come_back_after_an_error():
    before = numba.get_num_threads()
    with pytest.raises(ZeroDivisionError), numopt.threads(2):
        raise ZeroDivisionError
    assert numba.get_num_threads() == before


def test_more_threads_than_numba_has_are_allowed():
    with numopt.threads(10**4):
        assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS


@pytest.mark.parametrize(
    ("n", "error"), [(0, InvalidInputError), (-1, InvalidInputError), (1.5, InvalidTypeError)]
)
def test_bad_numbers(n, error):
    with pytest.raises(error, match=f"n is {n}"), numopt.threads(n):
        pass


LATE = """
import sys
from types import ModuleType
import numpy, numopt
from numopt._kernels import kernels
from numopt._threads import thread_count
assert thread_count() == 3
with numopt.threads(2):
    assert thread_count() == 2 and "numba" not in sys.modules
    for room in ("portable", "cpu"):
        sys.modules[f"numopt._kernels.{room}.toy"] = ModuleType("toy")
    import numba  # as a file of the cpu room would
    kernels("toy", numpy)
    assert numba.get_num_threads() == 2
assert numba.get_num_threads() == 3
"""


def test_numba_loaded_inside_the_block_follows_too():
    done = subprocess.run(
        [sys.executable, "-c", LATE],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"NUMBA_NUM_THREADS": "3"},
    )
    assert done.returncode == 0, done.stderr


def test_python_threads_may_be_the_first_at_the_same_time(monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    other = SimpleNamespace(import_module=lambda _: os.environ.pop("GOMP_SPINCOUNT"))  # it was faster
    monkeypatch.setattr(_threads, "importlib", other)
    _threads.rest_when_idle.__wrapped__()
    assert "GOMP_SPINCOUNT" not in os.environ


def test_python_threads_may_solve_at_the_same_time():
    X = np.random.default_rng(0).random((400, 2))
    C = ((X[:, None] - X[::-1] ** 2) ** 2).sum(axis=-1)
    a = np.full(400, 1 / 400)

    def solve(_):
        return numopt.ot.sinkhorn_newton(a, a, C, reg=1e-3)

    alone = solve(0)
    if numba.threading_layer() == "workqueue":
        pytest.skip("numba's last resort serves one thread at a time")
    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(solve, range(6)):
            assert result.success
            assert (result.f == alone.f).all()


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP is asked")
@pytest.mark.parametrize(("given", "looks"), [({}, "30000"), ({"GOMP_SPINCOUNT": "77"}, "77")])
@pytest.mark.parametrize(
    "code", ["from numopt._kernels.cpu import _jit", "import numba, numopt\nnumopt.threads(1).__enter__()"]
)
def test_idle_threads_rest_unless_the_environment_says_how_they_wait(code, given, looks):
    env = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    env |= {"OMP_DISPLAY_ENV": "verbose"} | given
    code += "\nimport os\nprint(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(given.get("GOMP_SPINCOUNT"))  # as it was
    if "GOMP_SPINCOUNT" in done.stderr:  # it is GNU's
        assert f"GOMP_SPINCOUNT = '{looks}'" in done.stderr
