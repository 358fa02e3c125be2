"""The scalars of Eisenstat's conjugate gradients: what the host makes of five sums in each step."""

import math


class Scalars:
    """Step length, factor of the direction and energy, kept in `carry` between calls; see `pcg`."""

    def __init__(self, omega, carry, squares, coefficients):
        self.c, self.steps, self.square = (2 - omega) / omega, 0, math.nan
        self.alpha, self.beta, self.energy = carry.tolist()
        self._carry, self._squares, self._coefficients = carry, squares, coefficients

    def going_on(self, target, square, curvature, mixed, size, rho):
        """Take in ||r||^2 and <q, D p>, <q, D g>, <q, D q>, <g, D g>; say whether to make a step, alpha and beta."""
        mixed, size, rho = (self.c * v for v in (mixed, size, rho))
        self.square = square
        if not square > target:
            self.alpha = self.beta = 0.0
            return False
        self.alpha = rho / curvature if curvature > 0 else math.nan
        following = max(0.0, rho - 2 * self.alpha * mixed + self.alpha * self.alpha * size)
        self.beta, self.energy = following / rho, self.energy + self.alpha * rho
        self._squares[self.steps] = square
        self._coefficients[self.steps, 0], self._coefficients[self.steps, 1] = self.alpha, self.beta
        self.steps += 1
        return self.alpha > 0

    def near(self, target, budget):
        """Say whether the residual has to be formed: beta estimates how much it falls."""
        return self.square * self.beta <= target or self.steps == budget

    def formed(self, square):
        """Take in ||r||^2 after the step, which is made."""
        self.alpha, self.square = 0.0, square

    def closed(self):
        """Write down where to go on; return (steps, last square)."""
        self._squares[self.steps] = self.square
        self._carry[:] = self.alpha, self.beta, self.energy
        return self.steps, self.square
