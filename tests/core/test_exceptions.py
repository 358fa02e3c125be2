"""Errors are also the builtin errors users catch; warnings point at the user's line."""

import pytest

from numopt import exceptions


@pytest.mark.parametrize(
    ("error", "builtin"),
    [("InvalidInputError", ValueError), ("InvalidTypeError", TypeError), ("SolverError", RuntimeError),
     ("BackendError", RuntimeError)],
)  # fmt: skip
def test_errors_are_builtin_errors_too(error, builtin):
    assert issubclass(getattr(exceptions, error), (builtin, exceptions.NumoptError))
    assert issubclass(getattr(exceptions, error), builtin)


def test_a_solver_error_carries_its_result():
    assert exceptions.SolverError("why", 3).result == 3 and exceptions.SolverError("why").result is None


def test_warnings_point_at_the_callers_line():
    inside = {"__name__": "numopt.ot.deep", "exceptions": exceptions}
    exec("def warn(): exceptions.warn('slow', exceptions.PerformanceWarning)\ndef solve(): warn()", inside)
    with pytest.warns(exceptions.NumoptWarning, match="slow") as caught:
        inside["solve"]()
    assert caught[0].filename == __file__


def test_the_reference_lists_all_errors_and_warnings_and_nothing_else():
    classes = {name for name, x in vars(exceptions).items() if isinstance(x, type)}
    assert set(exceptions.__all__) == classes
    assert all(issubclass(getattr(exceptions, x), (exceptions.NumoptError, exceptions.NumoptWarning)) for x in classes)
