"""Calling a solver by a case on any backend, and looking at what came back."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

from numopt import _array, _kernels
from numopt._solver import REGISTRY


class Call:
    """The call of one case on one backend; arguments by name, so that tests can change them.

    `runs` keeps what tests share: the clean run of the case, by backend and dtype.
    """

    def __init__(self, case, backend, dtype, runs=None):
        self.case, self.backend, self.dtype, self.runs = case, backend, dtype, {} if runs is None else runs
        self.declared = REGISTRY[case.name]
        self.signature = inspect.signature(self.declared.function)
        args, kwargs = case.make(np.random.default_rng(0), dtype)
        self.plain = dict(zip(self.signature.parameters, args, strict=False)) | kwargs
        self.arguments = {name: self.convert(value) for name, value in self.plain.items()}

    def convert(self, value):
        """Bring the arrays of an argument to the backend."""
        return self.backend.asarray(value) if isinstance(value, np.ndarray) else value

    @property
    def tol(self):
        """The tolerance; solvers that stand in for SciPy's call it rtol."""
        return self.plain["rtol"] if self.takes("rtol") else self.plain["tol"]

    def takes(self, name):
        return name in self.signature.parameters

    def __call__(self, **changes):
        changes = {name: self.convert(value) for name, value in changes.items()}
        return self.declared.function(**self.arguments | changes)

    @property
    def clean(self):
        """The case as it stands, run once: its result, the arguments it wrote to, how many kernel calls it made."""
        key = self.backend.name, self.dtype
        if key not in self.runs:
            self.runs[key] = self._run()
        return self.runs[key]

    def _run(self):
        given = {name: x for name, x in self.arguments.items() if _array.is_array(x)}
        before = {name: np.array(self.backend.to_numpy(x)).tobytes() for name, x in given.items()}
        with pytest.MonkeyPatch.context() as patch:
            poison = Poison(patch)
            result = self()
        written = [name for name, x in given.items() if self.backend.to_numpy(x).tobytes() != before[name]]
        return SimpleNamespace(result=result, written=written, kernel_calls=poison.calls)

    def recompute(self, result):
        """Return the certificate, recomputed in plain NumPy at the returned point."""
        fields = {
            name: self.backend.to_numpy(value) if _array.is_array(value) else value
            for name, value in result.items()
        }
        return float(self.case.recompute(SimpleNamespace(**fields), self.plain))


def arrays(result):
    """Return the array fields of a result by name; its history is always on the host."""
    return {name: value for name, value in result.items() if _array.is_array(value) and value.ndim}


def same_bits(one, two, backend):
    """Say whether two results hold the same arrays, bit for bit."""
    pairs = [(backend.to_numpy(x), backend.to_numpy(arrays(two)[name])) for name, x in arrays(one).items()]
    return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in pairs)


def all_finite(result, backend):
    """Say whether no array and no number of a result is NaN, and no array entry infinite."""
    scalars = [v for v in [*result.values(), *result.certificate.values()] if isinstance(v, float)]
    vectors = [backend.to_numpy(x) for x in arrays(result).values()]
    return not np.isnan(scalars).any() and all(np.isfinite(x).all() for x in vectors)


class Poison:
    """Puts NaN into all that the `at`-th call of a kernel returns or writes; counts the calls."""

    def __init__(self, monkeypatch, at=None):
        self.at, self.calls = at, 0
        table = _kernels._table
        monkeypatch.setattr(_kernels, "_table", lambda *key: self.wrap(table(*key)))
        # what is settled for one dtype is kept by itself, and would be seen neither now nor without poison
        monkeypatch.setattr(_kernels, "_one_kind", lambda *key: _kernels._table(*key[:2]), raising=False)

    def wrap(self, table):
        return SimpleNamespace(**{name: self.poisoned(kernel) for name, kernel in vars(table).items()})

    def poisoned(self, kernel):
        def call(*args, **kwargs):
            if self.calls + 1 != self.at:
                out = kernel(*args, **kwargs)
                self.calls += _holds_floats(out)  # integers cannot be spoilt
                return out
            given = [x for x in [*args, *kwargs.values()] if _is_float_array(x)]
            before = [_array.host(_array.copied(x)) for x in given]
            out = kernel(*args, **kwargs)
            self.calls += _holds_floats(out)
            for x, old in zip(given, before, strict=True):
                if _array.host(x).tobytes() != old.tobytes():
                    x[...] = np.nan
            return _with_nan(out)

        return call


def _is_float_array(x):
    return _array.is_array(x) and x.ndim > 0 and "float" in str(x.dtype)


def _holds_floats(out):
    if isinstance(out, tuple):
        return any(map(_holds_floats, out))
    return out is None or isinstance(out, float) or (_array.is_array(out) and "float" in str(out.dtype))


def _with_nan(out):
    if isinstance(out, tuple):
        return tuple(map(_with_nan, out))
    if _array.is_array(out) and "float" in str(out.dtype):
        return out * np.nan
    return np.nan if isinstance(out, float) else out
