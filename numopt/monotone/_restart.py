"""When to move the anchor of a Halpern iteration: each epoch between two anchors halves the residual or more."""

import math

SUFFICIENT, NECESSARY = 0.3, 0.7
ARTIFICIAL, LEAST = 0.36, 200  # share of all steps after which it moves anyway, and steps it needs for that


class Anchor:
    """Watches residuals; ``due(r, steps)`` says whether the anchor should move to the point at hand.

    That is so when the residual has fallen by SUFFICIENT since the last move; by NECESSARY, and now rises; or when the
    epoch is long against the whole run. One residual of a sampled method is noise: it rises when it exceeds the
    better of the last two.
    """

    def __init__(self, r, active=True):
        self.r, self.active, self.moves = r, active, 0
        self.recent, self.epoch, self.total = (math.inf, math.inf), 0, 0

    def due(self, r, steps=1):
        """Take note of a residual after so many steps."""
        self.epoch, self.total = self.epoch + steps, self.total + steps
        rises, self.recent = r > min(self.recent), (self.recent[1], r)
        if not self.active:
            return False
        done = r <= SUFFICIENT * self.r or (r <= NECESSARY * self.r and rises)
        return done or self.epoch > max(ARTIFICIAL * self.total, LEAST)

    def move(self, r):
        """Start a new epoch at a point with this residual."""
        self.r, self.epoch, self.moves, self.recent = r, 0, self.moves + 1, (math.inf, math.inf)
