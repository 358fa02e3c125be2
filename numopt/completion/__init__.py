"""Low-rank matrix completion by alternating minimisation and Gauss-Newton."""

__all__ = []
