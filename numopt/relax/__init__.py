"""Relaxation whose parameter learns along a sequence of systems."""

from numopt.relax._plan import RelaxPlan, relax_plan
from numopt.relax._result import RelaxResult, SequenceResult
from numopt.relax._sor import sor
from numopt.relax._ssor_pcg import ssor_pcg
from numopt.relax._tuner import Tuner

__all__ = ["RelaxPlan", "RelaxResult", "SequenceResult", "Tuner", "relax_plan", "sor", "ssor_pcg"]
