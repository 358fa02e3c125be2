"""Gaussian groups with covariances of their own: parameters from labels or responsibilities, and exact likelihoods."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from numopt._array import device, host, like
from numopt._kernels import kernels
from numopt.clustering._problem import finite
from numopt.exceptions import InvalidInputError


class Groups(NamedTuple):
    """Weights (k,), means (k, p), covariances (k, p, p), and labels (n,) in the units of the problem."""

    weights: object
    means: object
    covariances: object
    labels: object


class At(NamedTuple):
    """Groups, and the problem whose iterate they are."""

    problem: object
    groups: object


class Subspace(NamedTuple):
    """Orthonormal V (p, m), the problem of the whole space, variance and sum of squares outside of the subspace."""

    V: object
    outer: object
    variance: float
    rest: float


@dataclass(frozen=True)
class MixtureProblem:
    """Points `base.X` in `base.k` groups, of different probability if `weighted`; `kind` makes covariances safe.

    `reg` times the mean variance is added to their eigenvalues. The points may be projections on a `Subspace`.
    """

    base: object
    kind: str
    weighted: bool
    reg: float = 1e-6
    subspace: object = None

    @property
    def kernels(self):
        return kernels("mixture", self.base.xp)

    @property
    def floor(self):
        mean = self.base.total / self.base.X.shape[0] / self.base.X.shape[1]
        return max(1e-12 * mean if self.kind == "none" else self.reg * mean, 1e-14)

    @property
    def shift(self):
        """What a minus log-likelihood lacks: n p log(scale), and the part of the directions outside of a subspace."""
        (n, width), outside = self.base.X.shape, 0.0
        if self.subspace is not None:
            V, _, variance, rest = self.subspace
            outside = 0.5 * (n * (V.shape[0] - width) * math.log(2 * math.pi * variance) + rest / variance)
            width = V.shape[0]
        return n * width * math.log(self.base.scale) + outside

    def hard(self, labels):
        """Return responsibilities (n, k) of 0 and 1."""
        xp = self.base.xp
        each = xp.arange(self.base.k, device=device(labels))
        return xp.astype(labels[:, None] == each, xp.float64)

    def groups(self, R, labels=None):
        """Return the groups that responsibilities imply; without labels, the most likely ones."""
        found = self.kernels.m_step(self.base.X, R[None, ...], self.floor, self.kind)
        found = Groups(*(x[0, ...] for x in found), labels)
        return found if labels is not None else found._replace(labels=self.assign(found))

    def log_terms(self, groups):
        """Return log(weight) + log density (n, k) of every point in every group."""
        xp = self.base.xp
        terms = self.kernels.log_densities(self.base.X, groups.means[None, ...], groups.covariances[None, ...])[0, ...]
        return terms + (xp.log(groups.weights) if self.weighted else 0.0)

    def assign(self, groups):
        """Return the most likely group of every point."""
        return self.base.xp.argmax(self.log_terms(groups), axis=1)

    def profile(self, labels):
        """Return the groups of a labelling and minus its log-likelihood, a float; inf if a group has fewer than 2."""
        xp = self.base.xp
        R = self.hard(labels)
        if host(xp.min(xp.sum(R, axis=0))) < 2:
            return None, math.inf
        groups = self.groups(R, labels)
        return groups, finite(-xp.sum(self.log_terms(groups) * R), "the likelihood")

    def mixture_value(self, groups):
        """Return minus the log-likelihood of the mixture, on the device."""
        xp = self.base.xp
        terms = self.log_terms(groups)
        top = xp.max(terms, axis=1, keepdims=True)
        return -xp.sum(xp.log(xp.sum(xp.exp(terms - top), axis=1)) + top[:, 0])

    def check_regular(self, groups):
        """Refuse a group whose covariance is singular where nothing makes it safe."""
        if self.kind == "none":
            lowest = host(self.base.xp.linalg.eigvalsh(groups.covariances)[:, 0])
            bad = np.flatnonzero(lowest < 1e3 * self.floor)
            if bad.size:
                raise InvalidInputError(
                    f"covariance is 'none' and that of cluster {bad[0]} is singular: at least p + 1 points in general "
                    f"position are expected in each; use covariance='oas'"
                )


def sorted_groups(p, groups):
    """Return the groups sorted by their means, the first coordinate first."""
    xp = p.base.xp
    order = np.lexsort(host(groups.means).T[::-1])
    at = device(groups.means)
    rank, order = (like(xp, x, at, xp.int64) for x in (np.argsort(order), order))
    return Groups(*(xp.take(x, order, axis=0) for x in groups[:3]), xp.take(rank, groups.labels))
