"""One method passes on what another yields: requests go in, what it returned comes out."""

import pytest

from numopt._iterate import Iterate, Relay


def test_a_relay_passes_requests_in_and_keeps_what_was_returned():
    asked = []

    def method():
        for measure in (4.0, 2.0):
            asked.append((yield Iterate(None, measure)))
        return "done"

    def halved():
        relay = Relay(method())
        for at in relay:
            assert relay.end is None
            relay.request = yield at.measure / 2
        return relay.end

    steps = halved()
    assert next(steps) == 2.0 and steps.send("rebuild") == 1.0
    with pytest.raises(StopIteration) as caught:
        next(steps)
    assert caught.value.value == "done" and asked == ["rebuild", None]


def test_a_relay_asks_for_nothing_by_itself_and_closes_with_its_loop():
    asked, closed = [], []

    def method():
        try:
            while True:
                asked.append((yield Iterate(None)))
        finally:
            closed.append(True)

    def first(count):
        for number, at in enumerate(Relay(method()), 1):
            yield at
            if number == count:
                return

    assert len(list(first(3))) == 3 and asked == [None, None] and closed == [True]


def test_names_say_what_a_tuple_of_counters_holds():
    assert Iterate(None, info=(1.0, 2.0), names=("mu", "tau")).named == {"mu": 1.0, "tau": 2.0}
    assert Iterate(None, info={"mu": 1.0}).named == {"mu": 1.0}
