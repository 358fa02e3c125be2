"""What the contract tests must know of one solver."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """How the contract tests call one solver.

    Attributes
    ----------
    name : str
        Of the solver in ``numopt._solver.REGISTRY``.
    make : callable
        ``make(rng, dtype) -> (args, kwargs)`` with NumPy arrays of `dtype`; the problem must take a few
        iterations and be solved to ``kwargs["tol"]``, and ``kwargs`` fix the seed where there is one.
    recompute : callable
        ``recompute(result, arguments) -> float`` in plain NumPy; `result` has NumPy arrays where the
        solver returned arrays, `arguments` are the call's by name.
    certificate : str
        The entry of ``result.certificate`` that `recompute` repeats.
    bad : list of (str, callable, type, str)
        Label, ``change(arguments)`` that spoils a dict of arguments by name in place, the exception, and
        a pattern for its message. NaN entries, complex arrays and bad keywords are tried for everybody.
    label : str
        Tells several cases of one solver apart, such as its methods.
    backends : tuple of str
        Where the solver can be called if not everywhere, because its data are files.
    """

    name: str
    make: Callable
    recompute: Callable
    certificate: str
    bad: list = field(default_factory=list)
    label: str = ""
    backends: tuple = ()

    def __str__(self):
        return f"{self.name}-{self.label}" if self.label else self.name


def spoil(name, value):
    """Return a function that puts `value` in place of an argument, or what `value` makes of it."""

    def change(arguments):
        arguments[name] = value(arguments[name]) if callable(value) else value

    return change
