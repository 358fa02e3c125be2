"""Seeded problems for tests, examples and benchmarks: the same arrays from the same seeds, on any machine."""

from numopt.gallery.ot import assignment, digit_images, gaussian_clouds, gaussian_mixtures
from numopt.gallery.relax import Heat, finite_elements, laplacian_2d, shifted_laplacians

__all__ = [
    "Heat",
    "assignment",
    "digit_images",
    "finite_elements",
    "gaussian_clouds",
    "gaussian_mixtures",
    "laplacian_2d",
    "shifted_laplacians",
]
