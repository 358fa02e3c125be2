"""What theory says of the relaxation parameter: Young's formulas for SOR, Axelsson's bound for SSOR.

`beta` is the spectral radius of Jacobi's iteration, `mu` the largest eigenvalue of D A^{-1}, and `excess` is nu / mu
with nu the largest <x, (L D^{-1} L^T - D/4) x> / <x, A x>: about 0 where the neighbours of a row come half before and
half behind it, 1/4 where all come on one side, as with two colours.
"""

import math

LARGEST = 2 - 2e-3  # parameters beyond make D/omega + L ill-conditioned


def best_sor(beta):
    """Return Young's omega for a consistently ordered matrix."""
    beta = min(max(beta, 0.0), 1.0)
    return 1 + (beta / (1 + math.sqrt(1 - beta * beta))) ** 2


def beta_from(rate, omega):
    """Return beta from the rate of the sweep, None where `omega` was too large for the rate to depend on it."""
    if not 0 < rate < 1 or rate <= omega - 1 + 0.02 * (2 - omega):
        return None
    return min((rate + omega - 1) / (math.sqrt(rate) * omega), 1.0)


def best_ssor(mu, excess=0.0):
    """Return the minimiser of Axelsson's bound on the condition number."""
    return min(2 / (1 + math.sqrt(2 / max(mu, 1.0) + 4 * excess)), LARGEST)


def mu_from(ritz, omega, excess=0.0):
    """Return the lower bound of mu from the smallest Ritz value of M^{-1} A."""
    return ((2 - omega) / ritz - 1) / ((2 - omega) ** 2 / (4 * omega) + omega * excess)

