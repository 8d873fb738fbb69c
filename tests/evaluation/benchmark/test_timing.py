import time
from collections.abc import Mapping

import pytest

from scalepose.evaluation.benchmark.timing import CPU, WHOLE, Samples, Spread, interleave


def test_spread_is_median_and_quartiles():
    assert Spread.of([5, 1, 2, 4, 3]) == Spread(median=3, low=2, high=4, runs=5)
    assert str(Spread.of([123.4])) == "123"
    assert Spread.of([11.11, 12.22, 13.33]).with_range() == "12.2 (11.7–12.8)"


def test_everything_is_done_in_turn_and_the_first_time_does_not_count():
    done: list[str] = []
    steps: list[None] = []

    def note(name: str) -> Mapping[str, float]:
        done.append(name)
        return {"part": float(len(done))}

    samples = interleave({name: lambda name=name: note(name) for name in "abc"}, 3, lambda: steps.append(None))
    assert "".join(done) == "abc" + "bca" + "cab" + "abc"
    assert len(steps) == 12
    assert samples["a"].parts["part"] == [6, 8, 10]


def test_clock_and_processor_time():
    samples = interleave({"idle": lambda: time.sleep(0.02)}, 2)["idle"]
    assert samples.times().wall.median >= 20
    assert samples.times().cpu.median < 20
    assert samples.times(count=4).wall.median == pytest.approx(samples.part(WHOLE).median / 4, abs=1e-3)


def test_ratios_are_taken_round_by_round():
    slow_machine = 100
    ours = Samples({WHOLE: [1, 1, slow_machine], CPU: [1, 1, 1], "part": [0.5, 0.5, 0.5 * slow_machine]})
    theirs = Samples({WHOLE: [2, 2, 2 * slow_machine], CPU: [3, 3, 3]})
    assert theirs.ratio(ours) == 2
    assert theirs.ratio(ours, CPU) == 3
    assert theirs.share(ours, "part") == 0.25
