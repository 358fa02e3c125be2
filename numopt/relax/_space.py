"""The parameters of a solver, as points of a unit cube and as arms."""

import itertools
import math

import numpy as np

from numopt._check import scalar
from numopt.exceptions import InvalidInputError, InvalidTypeError

_MANY = 10**6  # arms, of which each is kept

_SCALES = {
    "linear": (lambda v: v, lambda u: u),
    "log": (math.log, math.exp),
    "sor": (lambda v: -math.log(2.0 - v), lambda u: 2.0 - math.exp(-u)),  # what matters is how far 2 is
}


class Range:
    """A number between two bounds, even on a scale."""

    def __init__(self, name, low, high, scale="linear"):
        if not isinstance(scale, str) or scale not in _SCALES:
            raise InvalidInputError(
                f"space[{name!r}] has the scale {scale!r}: one of {', '.join(map(repr, _SCALES))} is expected"
            )
        limits = {"log": {"above": 0.0}, "sor": {"high": 2 - 1e-9}}.get(scale, {})
        low = scalar(f"space[{name!r}][0]", low, **limits)
        high = scalar(f"space[{name!r}][1]", high, **limits)
        if not low < high:
            raise InvalidInputError(f"space[{name!r}] is ({low}, {high}): low < high is expected; swap them")
        self.name, self.low, self.high = name, low, high
        self._scale = scale
        self._first, self._last = (_SCALES[scale][0](v) for v in (low, high))

    def value(self, u):
        """Return the value at u in [0, 1]."""
        value = _SCALES[self._scale][1](self._first + float(u) * (self._last - self._first))
        return min(max(value, self.low), self.high)

    def place(self, value):
        """Return where a value lies in [0, 1]."""
        return (_SCALES[self._scale][0](value) - self._first) / (self._last - self._first)

    def guess(self):
        """Return where to begin in [0, 1]."""
        return min(max(self.place(1.7), 0.1), 0.9) if self._scale == "sor" else 0.5

    def arms(self, count):
        """Return evenly spaced values, on the plain scale as in the paper."""
        return [float(v) for v in np.linspace(self.low, self.high, count)]

    def described(self):
        """Return plain JSON that tells it from others."""
        return [self.name, self.low, self.high, self._scale]


class Choice:
    """One of a list of things."""

    def __init__(self, name, options):
        self.name, self.options = name, list(options)
        if not self.options:
            raise InvalidInputError(f"space[{name!r}] is empty: at least one choice is expected; pass some")

    def arms(self, count):
        """Return all of them."""
        return self.options

    def described(self):
        """Return plain JSON that tells it from others."""
        return [self.name, [v if isinstance(v, (str, int, float)) else type(v).__name__ for v in self.options]]


class Space:
    """All parameters of a solver.

    Parameters
    ----------
    space : dict of str to (low, high), (low, high, scale) or list
        See `Tuner`.
    """

    def __init__(self, space):
        if not isinstance(space, dict):
            raise InvalidTypeError(f"space is {type(space).__name__}: a dict of names is expected; name the parameters")
        if not space:
            raise InvalidInputError("space is empty: at least one parameter is expected; name one")
        self.parameters = [_parameter(name, given) for name, given in space.items()]
        self.ranges = [p for p in self.parameters if isinstance(p, Range)]
        self.choices = [p for p in self.parameters if isinstance(p, Choice)]

    def arms(self, count):
        """Return parameters as dicts: `count` values of each range, combined with all choices."""
        total = math.prod(count if isinstance(p, Range) else len(p.options) for p in self.parameters)
        if total > _MANY:
            raise InvalidInputError(
                f"n_arms is {count}, which makes {total} arms: at most {_MANY} are expected; lower it"
            )
        lists = [p.arms(count) for p in self.parameters]
        return [dict(zip((p.name for p in self.parameters), v, strict=True)) for v in itertools.product(*lists)]

    def described(self):
        """Return plain JSON that tells it from others."""
        return [p.described() for p in self.parameters]

    def point(self, params):
        """Return the point of the unit cube and the number of the combination of choices of these parameters."""
        if not isinstance(params, dict):
            raise InvalidTypeError(f"params is {params!r}: a dict is expected; pass what ask() returns")
        combos = list(itertools.product(*(c.options for c in self.choices)))
        try:
            which = combos.index(tuple(params[c.name] for c in self.choices))
            values = [scalar(f"params[{r.name!r}]", params[r.name], low=r.low, high=r.high) for r in self.ranges]
            return [r.place(v) for r, v in zip(self.ranges, values, strict=True)], which
        except (KeyError, ValueError) as error:
            names = ", ".join(repr(p.name) for p in self.parameters)
            raise InvalidInputError(
                f"params is {params!r}: a value of the space for each of {names} is expected; pass what ask() returns"
            ) from error

    def candidates(self, count):
        """Return points (m, ranges) of the unit cube, the choice (m,) of each, and its parameters."""
        if not self.ranges:
            cube = np.empty((1, 0))
        elif len(self.ranges) == 1:
            cube = np.linspace(0, 1, count)[:, None]
        else:
            from scipy.stats.qmc import Sobol

            cube = Sobol(len(self.ranges), scramble=False).random(512)
        combos = list(itertools.product(*(c.options for c in self.choices)))
        points, which, params = [], [], []
        for at, combo in enumerate(combos):
            for u in cube:
                points.append(u)
                which.append(at)
                values = {r.name: r.value(v) for r, v in zip(self.ranges, u, strict=True)}
                params.append(values | dict(zip((c.name for c in self.choices), combo, strict=True)))
        return np.array(points).reshape(len(params), -1), np.array(which), params


def _parameter(name, given):
    if not isinstance(name, str):
        raise InvalidTypeError(f"space has the key {name!r}: the name of a parameter is expected; pass a string")
    if isinstance(given, list):
        return Choice(name, given)
    if isinstance(given, tuple) and len(given) in (2, 3):
        return Range(name, *given)
    raise InvalidTypeError(
        f"space[{name!r}] is {given!r}: (low, high), (low, high, scale) or a list is expected; pass one of them"
    )
