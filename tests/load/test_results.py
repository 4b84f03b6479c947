"""Figures, bars, gates and pages."""

from array import array

import msgspec
import pytest

from tests.load import bars, gate, html, markdown, table
from tests.load.bench import Round, Sample
from tests.load.profile import analyse
from tests.load.results import Results
from tests.load.rows import Row


def measured(*, units=1000, cpu=0.08, latencies=(0.001,) * 99 + (0.1,), faults=()):
    samples = [Sample(0.0, 0, 0.0, 0.0, 10), Sample(1.0, units, cpu, 0.01, 30), Sample(2.0, units, cpu, 0.01, 20)]
    return Round(units, 2.0, cpu, 0.01, array("d", latencies), samples, list(faults))


def row(step="message-1", kind="ours", **figures):
    found = Row("Server", "1.0", "store", kind, step, "1:1 message", "message")
    found.fill([measured(**figures)])
    return found


def test_a_row_has_the_median_of_its_rounds():
    found = Row("Server", "1.0", "store", "ours", "message-1", "1:1 message", "message")
    found.fill([measured(cpu=0.08), measured(cpu=0.30), measured(cpu=0.10)])
    assert found.cpu_us == pytest.approx(100.0)
    assert found.spread == (pytest.approx(80.0), pytest.approx(300.0))
    assert (found.units, found.rate, found.memory) == (3000, 500.0, 30)
    assert found.latency.p50 == pytest.approx(1.0)
    assert found.latency.p99 == pytest.approx(1.0)
    assert found.latency.worst == pytest.approx(100.0)


def test_a_row_with_a_fault_has_no_figures():
    found = row(faults=["3 messages sent, 2 received"])
    assert found.outcome == "FAILED: 3 messages sent, 2 received"
    assert found.cpu_us == 0.0


def verdicts(*rows):
    return {one.text.strip(): one for one in bars.judge(rows)}


def test_bars_are_kept_missed_or_not_measured():
    found = verdicts(row(cpu=0.08), row("message-1-tls", cpu=0.2))
    assert found["1:1 message, window 1: CPU"].verdict == "ok"
    assert found["1:1 message, window 1, TLS 1.3: CPU"].verdict == "MISSED"
    assert found["presence told (20 change at once): CPU"].verdict == "not measured"
    assert found["times cheaper than the cheapest peer on SQLite"].figure is None


def test_the_cheapest_peer_is_compared_with():
    found = verdicts(row(), row(kind="sqlite", cpu=1.6), row(kind="sqlite", cpu=0.8), row(kind="default", cpu=0.72))
    assert found["times cheaper than the cheapest peer on SQLite"].figure == pytest.approx(10.0)
    assert found["times cheaper than the cheapest peer on SQLite"].verdict == "MISSED"
    assert found["times cheaper than any peer with its default store"].verdict == "ok"


def test_a_step_that_failed_keeps_no_bar():
    failed = row(faults=["lost"])
    assert verdicts(failed)["1:1 message, window 1: CPU"].verdict == "not measured"


def test_a_run_is_written_and_read_and_shown(tmp_path):
    rows = [row(), row(kind="sqlite", cpu=1.6), row("presence", faults=["<b>lost</b>"])]
    results = Results.of(rows)
    results.write(tmp_path / "deep" / "run.json")
    assert Results.read(tmp_path / "deep" / "run.json") == results
    page = html.page(results)
    assert page.count("<svg") == 1
    assert "&lt;b&gt;lost" in page
    assert "<b>lost" not in page
    assert "src=" not in page
    assert "| 1:1 message, window 1: CPU | <= 80 us | 80.00 us | ok |" in list(markdown.lines(results))
    assert any("80.0" in line and "0.10" not in line for line in table.lines(rows))


def test_the_gate_holds_a_ratio():
    before = gate.Baseline("3.11.7", 1_000, {"message": 1_000, "login": 5_000})
    now = gate.Baseline("3.12.1", 2_000, {"message": 2_100, "login": 12_000, "search": 7})
    judged = list(gate.judge(now, before))
    told = {line.split()[0]: (line, is_good) for line, is_good in judged[1:]}
    assert told["message"][1]
    assert "1.050" in told["message"][0]
    assert not told["login"][1]
    assert told["search"][1]
    assert "3.11.7" in judged[-1][0]


def test_the_accepted_figures_can_be_read():
    accepted = msgspec.json.decode(gate.BASELINE.read_bytes(), type=gate.Baseline)
    assert {gauge.key for gauge in gate.GAUGES} == set(accepted.instructions)


def test_looks_count_for_the_innermost_function_of_ours():
    run = "main (/x/config/cli.py);turn (/x/actors/dispatcher.py)"
    profile = analyse(
        [
            f"{run};handle (/x/actors/user.py);choose (/x/engine/delivery.py) 3",
            f"{run};write (/x/gateways/socket_stream.py);send (/usr/lib/python3/ssl.py) 2",
            f"{run};handle (/x/actors/user.py) 1",
            "run (/x/.venv/lib/site-packages/trio/_core/_run.py) 1",
            "nonsense",
        ]
    )
    assert profile.looks == 7
    assert dict(profile.stops) == {
        "4 user, alias, domain": 4,
        "7 write to the socket, TLS": 2,
        "trio, interpreter, other": 1,
    }
    assert dict(profile.functions)["gateways/socket_stream.py:write"] == 2
    assert dict(profile.inclusive)["actors/dispatcher.py:turn"] == 6
    assert dict(profile.leaves)["python3/ssl.py:send"] == 2
