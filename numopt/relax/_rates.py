"""How fast the residual of a run of sweeps falls, and what that says about the matrix."""

import numpy as np

from numopt.relax._theory import LARGEST, best_sor, beta_from

WINDOW = 10  # sweeps over which a rate is averaged


class Rates:
    """Watches squared residuals of sweeps with one parameter at a time (Hageman and Young's adaptive SOR)."""

    def __init__(self, omega):
        self.omega, self.squares, self.before, self.known = omega, [], None, None

    def see(self, squares):
        """Take note of the squared residuals before each of some sweeps."""
        self.squares.append(squares)

    def suggestion(self):
        """Return a larger parameter once the rate has settled and says that this one is too small, else None."""
        last = self.squares[-1]
        if len(last) < 2 or not last[0] > last[-1] > 0:
            self.before = None
            return None
        rate = (last[-1] / last[0]) ** (0.5 / (len(last) - 1))
        settled = self.before is not None and abs(rate - self.before) < 0.02 * (1 - rate)
        self.before = rate
        beta = beta_from(rate, self.omega) if settled else None
        if beta is None or beta >= 1:
            return None
        self.known = float(max(beta, self.known or 0.0))
        better = float(min(best_sor(self.known), LARGEST))
        if better - self.omega <= 0.05 * (2 - self.omega):
            return None
        self.omega, self.squares, self.before = better, [], None
        return better

    def beta(self):
        """Return the spectral radius of Jacobi's iteration that the run suggests, None if it does not say."""
        squares = np.concatenate(self.squares) if self.squares else np.empty(0)
        tail = squares[-max(len(squares) // 4, 1) :]
        if len(tail) > 2 and tail[0] > tail[-1] > 0:
            beta = beta_from((tail[-1] / tail[0]) ** (0.5 / (len(tail) - 1)), self.omega)
            if beta is not None:
                return float(max(beta, self.known or 0.0))
        return self.known
