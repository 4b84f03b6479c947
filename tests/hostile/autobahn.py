"""Autobahn's test suite, cases 1 to 7, 9 and 10, against the echo of our web port: ``python -m tests.hostile.autobahn``,
``make autobahn``.

The suite is for Python 2.7: where there is one it is installed into `FOLDER` by its own pip, otherwise this says so and
ends with status 2. Prints how many cases behaved how; status 1 if one failed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
import trio

from tests.hostile.echo import echoing

ROOT = Path(__file__).parents[2]
FOLDER = Path("build/autobahn")
SUITE = "autobahntestsuite==0.8.2"
RUN = """\
import sys
from autobahntestsuite.wstest import run
sys.argv = ["wstest", "-m", "fuzzingclient", "-s", sys.argv[1]]
run()
"""
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
RUN_SECONDS = 1_200.0


def install() -> str | None:
    """The interpreter that has the suite; None: there is no Python 2.7."""
    for name in ("python2.7", "python2"):
        python = shutil.which(name)
        if (
            python is None
            or subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode
        ):
            continue
        if not (FOLDER / "autobahntestsuite").exists():
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--target", str(FOLDER), SUITE], check=True)
            (FOLDER / "zope" / "__init__.py").touch()
        return python
    return None


async def measure(python: str) -> dict[str, dict[str, str]]:
    """What the suite says of each case."""
    async with echoing() as port:
        report, plan = FOLDER / "report", FOLDER / "plan.json"
        shutil.rmtree(report, ignore_errors=True)
        plan.write_text(
            json.dumps(
                {
                    "outdir": str(report),
                    "servers": [{"agent": "Rookery", "url": f"ws://127.0.0.1:{port}", "options": {"version": 18}}],
                    "cases": [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 9, 10)],
                    "exclude-cases": [],
                    "exclude-agent-cases": {},
                }
            )
        )
        with trio.fail_after(RUN_SECONDS):
            await trio.run_process(
                [python, "-c", RUN, str(plan)],
                env={**os.environ, "PYTHONPATH": str(ROOT / FOLDER)},
                capture_stdout=True,
                capture_stderr=True,
            )
        found: dict[str, dict[str, str]] = json.loads((report / "index.json").read_text())["Rookery"]
        return found


def main() -> None:
    """Run, print, and fail if a case failed."""
    python = install()
    if python is None:
        click.echo(
            "Autobahn's test suite needs Python 2.7 with pip, which is not here; tests/hostile/test_websocket.py runs anywhere"
        )
        sys.exit(2)
    cases = trio.run(measure, python)
    counts = Counter(case["behavior"] for case in cases.values())
    bad = [name for name, case in cases.items() if {case["behavior"], case["behaviorClose"]} - GOOD]
    click.echo(
        f"{len(cases)} cases: {', '.join(f'{kind} {count}' for kind, count in counts.most_common())}; failed: {len(bad)} {bad}"
    )
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
