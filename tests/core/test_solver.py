"""Solvers declare themselves."""

from numopt import _solver


def test_a_solver_is_registered_and_left_alone(monkeypatch):
    monkeypatch.setattr(_solver, "REGISTRY", {})

    def plain(a, C):
        return a

    assert _solver.solver(family="toys", sparse=True, arrays=["a", "C"], dtypes=["float64"])(plain) is plain
    declared = _solver.REGISTRY["toys.plain"]
    assert declared.function is plain and declared.family == "toys" and declared.sparse
    assert declared.arrays == ("a", "C") and declared.dtypes == ("float64",)
