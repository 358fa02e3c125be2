"""The base of every result: typed fields, printable, readable as attributes and as a mapping."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import dataclass_transform

import numpy as np


@dataclass_transform(eq_default=False, kw_only_default=True)
def result_class(cls):
    """Make `cls` a slotted dataclass that keeps the printing and the identity of `Result`."""
    return dataclass(slots=True, kw_only=True, eq=False, repr=False)(cls)


@result_class
class Result(Mapping):
    """What a solver returns.

    Fields are attributes (``res.nit``) and mapping entries (``res["nit"]``, ``dict(res)``, ``f(**res)``).
    Properties that a family computes on access can be read both ways too, but are not listed by ``keys()``.

    Attributes
    ----------
    success : bool
        True only if the certificate, recomputed from the problem data at the returned point, meets
        the tolerance.
    status : numopt.Status
        Why the run ended; 0 means converged.
    message : str
        The status as a sentence, with the numbers.
    nit : int
        Iterations done (not the index of the returned iterate).
    time : float
        Seconds spent in the iteration, callbacks excluded.
    certificate : dict of str to float
        Quantities recomputed at the returned point; the first is the one that ``tol`` judged.
        ``inf`` stands for a value that could not be evaluated.
    history : dict of str to ndarray
        One-dimensional arrays of equal length, one entry for each check: ``nit``, ``time`` (seconds),
        ``measure`` and the solver's own counters. ``nan`` stands for "not measured".

    Examples
    --------
    >>> from numopt._result import Result
    >>> res = Result(success=True, status=0, message="converged", nit=3, time=0.25,
    ...              certificate={"residual": 1e-9}, history={})
    >>> res["nit"], res.certificate["residual"]
    (3, 1e-09)
    >>> res
        success: True
         status: 0
        message: converged
            nit: 3
           time: 0.25
    certificate: residual = 1e-09
        history: empty
    """

    success: bool
    status: int
    message: str
    nit: int
    time: float
    certificate: dict
    history: dict

    def __iter__(self):
        return (f.name for f in fields(self) if not f.name.startswith("_"))

    def __len__(self):
        return sum(1 for _ in self)

    def __getitem__(self, key):
        if key in tuple(self) or isinstance(getattr(type(self), str(key), None), property):
            return getattr(self, key)
        raise KeyError(key)

    # Two results are equal only if they are the same: comparing arrays has no single truth value.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self):
        names = list(self)
        width = max(map(len, names))
        return "\n".join(f"{name:>{width}}: {_brief(getattr(self, name))}" for name in names)


def _later(slot):
    """Return a field that may be given as a `partial`: what that returns takes its place when it is first read."""

    def read(result):
        value = slot.__get__(result)
        if type(value) is partial:
            value = value()
            slot.__set__(result, value)
        return value

    return property(read, slot.__set__)


for _name in ("message", "history"):
    setattr(Result, _name, _later(getattr(Result, _name)))


def _brief(value):
    """Show `value` in one line; large arrays by their shape and dtype."""
    if isinstance(value, dict):
        if value and all(isinstance(v, np.ndarray) for v in value.values()):
            return f"{', '.join(value)} ({len(next(iter(value.values())))} records)"
        return ", ".join(f"{k} = {v:.6g}" for k, v in value.items()) or "empty"
    if isinstance(value, float):
        return f"{value:.9g}"
    shape = getattr(value, "shape", ())
    if shape and (len(shape) != 1 or shape[0] > 8):
        return f"{type(value).__name__} of shape {tuple(shape)}, {getattr(value, 'dtype', 'no dtype')}"
    return " ".join(str(value).split())
