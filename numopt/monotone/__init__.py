"""Monotone inclusions: games, saddle points, linear programs and fixed points, with certificates."""

from numopt.monotone._bilinear_operators import BilinearGame, LPPrimalDual
from numopt.monotone._fixed_point import FixedPointResult, fixed_point
from numopt.monotone._game_problem import GameResult
from numopt.monotone._glm import LeastSquaresGradient, LogisticGradient
from numopt.monotone._inclusion_result import InclusionResult
from numopt.monotone._linprog import linprog_pd
from numopt.monotone._lp_problem import LPResult
from numopt.monotone._matrix_game import matrix_game
from numopt.monotone._operator import FiniteSumOperator, Operator
from numopt.monotone._product import Product, Simplices
from numopt.monotone._prox import L1, Ball, Box, Free, NonNegative, Simplex
from numopt.monotone._robust import DROLogistic, FairClassification, RobustLeastSquares
from numopt.monotone._root import monotone_root
from numopt.monotone._saddle import BilinearSum, CournotNash, QuadraticSaddle
from numopt.monotone._saddle_qp import saddle_qp

__all__ = [
    "L1",
    "Ball",
    "BilinearGame",
    "BilinearSum",
    "Box",
    "CournotNash",
    "DROLogistic",
    "FairClassification",
    "FiniteSumOperator",
    "FixedPointResult",
    "Free",
    "GameResult",
    "InclusionResult",
    "LPPrimalDual",
    "LPResult",
    "LeastSquaresGradient",
    "LogisticGradient",
    "NonNegative",
    "Operator",
    "Product",
    "QuadraticSaddle",
    "RobustLeastSquares",
    "Simplex",
    "Simplices",
    "fixed_point",
    "linprog_pd",
    "matrix_game",
    "monotone_root",
    "saddle_qp",
]
