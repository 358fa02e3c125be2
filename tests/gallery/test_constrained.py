"""Constrained problems of the gallery: derivatives, published values."""

import numpy as np
import pytest

from numopt.constrained import check_derivatives, minimize_constrained
from numopt.gallery import pde_control, sphere_logistic


@pytest.mark.parametrize(("N", "kappa", "value"), [(3, 0.0, 9.6444421), (32, 5.0, 929.96611)])
def test_values_of_pde_control(N, kappa, value):
    p = pde_control(N, kappa)
    res = minimize_constrained(p.fun, p.x0, **p.keywords)
    assert res.success and res.fun == pytest.approx(value, rel=1e-7) and res.second_order == "min"


def test_derivatives():
    x = np.random.default_rng(0).standard_normal(32)
    p = pde_control(4, 5.0)
    assert max(check_derivatives(p.fun, x, **p.keywords).values()) < 1e-6
    rng = np.random.default_rng(1)
    p = sphere_logistic(rng.standard_normal((50, 6)), np.where(rng.random(50) < 0.5, -1.0, 1.0), 3)
    assert max(check_derivatives(p.fun, p.x0, **p.keywords).values()) < 1e-6


def test_sphere_logistic():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((400, 20))
    p = sphere_logistic(X, np.sign(X @ rng.standard_normal(20) + rng.standard_normal(400)), 5)
    res = minimize_constrained(p.fun, p.x0, **p.keywords)
    assert res.success and res.x @ res.x == pytest.approx(1) and res.nit <= 12
