"""Seeded problems for tests, examples and benchmarks: the same arrays from the same seeds, on any machine."""

from numopt.gallery.clustering import heterogeneous_clusters, isotropic_clusters
from numopt.gallery.completion import low_rank, ratings
from numopt.gallery.constrained import ConstrainedProblem, pde_control, sphere_logistic
from numopt.gallery.elements import finite_elements
from numopt.gallery.games import gaussian_game, police_game, power_game, sparse_game, toeplitz_game
from numopt.gallery.monotone import coupling_sum, logistic_sum, random_program, transport_program, worst_case_saddle
from numopt.gallery.ot import assignment, digit_images, gaussian_clouds, gaussian_mixtures
from numopt.gallery.relax import Heat, laplacian_2d, shifted_laplacians

__all__ = [
    "ConstrainedProblem",
    "Heat",
    "assignment",
    "coupling_sum",
    "digit_images",
    "finite_elements",
    "gaussian_clouds",
    "gaussian_game",
    "gaussian_mixtures",
    "heterogeneous_clusters",
    "isotropic_clusters",
    "laplacian_2d",
    "logistic_sum",
    "low_rank",
    "pde_control",
    "police_game",
    "power_game",
    "random_program",
    "ratings",
    "shifted_laplacians",
    "sparse_game",
    "sphere_logistic",
    "toeplitz_game",
    "transport_program",
    "worst_case_saddle",
]
