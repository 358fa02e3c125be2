"""Seeded problems for tests, examples and benchmarks: the same arrays from the same seeds, on any machine."""

from numopt.gallery.ot import assignment, digit_images, gaussian_clouds, gaussian_mixtures

__all__ = ["assignment", "digit_images", "gaussian_clouds", "gaussian_mixtures"]
