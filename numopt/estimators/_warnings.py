"""A warning that is both libraries' own."""

import sklearn.exceptions

import numopt.exceptions


class ConvergenceWarning(numopt.exceptions.ConvergenceWarning, sklearn.exceptions.ConvergenceWarning):
    """A fit did not reach its tolerance."""


def pass_on(result):
    """Warn as scikit-learn does if a run, which was told not to, has failed."""
    if not result.success:
        numopt.exceptions.warn(result.message, ConvergenceWarning)
