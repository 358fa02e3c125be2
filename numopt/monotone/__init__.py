"""Monotone inclusions, games, saddle points and fixed points."""

__all__ = []
