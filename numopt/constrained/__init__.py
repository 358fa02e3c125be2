"""Smooth optimisation under equality and inequality constraints."""

__all__ = []
