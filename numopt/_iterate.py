"""What a method yields, how one method passes on what another yields, and how one breaks off."""

from dataclasses import dataclass, field

from numopt.exceptions import NumoptError


class Breakdown(NumoptError):
    """What a method raises, perhaps deep inside, where it cannot go on; its arguments are a status and a reason."""


@dataclass(slots=True)
class Iterate:
    """What a method yields: its state, a cheap measure of it, and counters.

    `state` (an array, or nested tuples and dicts of arrays) stays valid until the next `Iterate` is
    yielded. `measure` is a scalar on the device that estimates the first value of the certificate, or
    None for progress only. Scalars in `info` are recorded in the history; all of it goes to ``finish``. `info`
    is the run's from then on: each `Iterate` has one of its own.
    `steps` is how many iterations a method did since the `Iterate` before, where a kernel does several.
    `plain` says that measure and scalars are floats of Python and that nothing in `state` will be written to: there is
    nothing to look at and to copy. `names`, where given, are those of the entries of `info`, which then is a tuple, and
    which ``finish`` does not get.
    """

    state: object
    measure: object = None
    info: dict = field(default_factory=dict)
    steps: int = 1
    plain: bool = False
    names: tuple = ()

    @property
    def named(self):
        """`info` by name."""
        return dict(zip(self.names, self.info, strict=True)) if self.names else self.info


class Relay:
    """The iterates of a method, in a ``for`` loop of another that yields them, or others, in its turn.

    Attributes
    ----------
    request
        What the loop asks for, set to what a ``yield`` returned; the method gets it with the next turn.
    end
        What the method returned; None before that.
    """

    def __init__(self, iterates):
        self._send, self.request, self.end = iterates.send, None, None

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self._send(self.request)
        except StopIteration as end:
            self.end = end.value
            raise
