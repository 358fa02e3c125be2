"""Relaxation whose parameter learns along a sequence of systems."""

__all__ = []
