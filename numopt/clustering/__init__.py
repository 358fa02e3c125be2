"""Clustering with certificates."""

__all__ = []
