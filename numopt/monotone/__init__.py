"""Monotone inclusions: games, saddle points, linear programs and fixed points, with certificates."""

from numopt.monotone._game_problem import GameResult
from numopt.monotone._matrix_game import matrix_game

__all__ = [
    "GameResult",
    "matrix_game",
]
