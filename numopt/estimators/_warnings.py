"""A warning that is both libraries' own."""

import sklearn.exceptions

import numopt.exceptions


class ConvergenceWarning(numopt.exceptions.ConvergenceWarning, sklearn.exceptions.ConvergenceWarning):
    """A fit did not reach its tolerance."""
