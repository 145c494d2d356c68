"""What is made of the times that clients of a server saw."""

from __future__ import annotations

import pytest

from benchmarks.speed.serve import summarise, table


def test_rate_and_latency_of_clients_that_ran_at_the_same_time() -> None:
    # the second client begins at 1 and the first ends at 3: four of the answers lie between
    calls = [[(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)], [(1.0, 1.5), (1.5, 2.5), (2.5, 3.5)]]
    load = summarise(calls, faces=3, dynamic_batching=True)
    assert load.faces_per_s == pytest.approx(4 * 3 / 2)
    assert load.latency_ms_p50 == pytest.approx(1000)
    assert load.requests == 6
    assert "| 2 | yes | 1000.0 | 1000.0 | 6 |" in table([load])


def test_clients_that_did_not_run_at_the_same_time_have_no_rate() -> None:
    with pytest.raises(SystemExit, match="2 clients never ran at the same time"):
        summarise([[(0.0, 1.0)], [(2.0, 3.0)]], faces=1, dynamic_batching=True)
