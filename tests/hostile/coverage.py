"""A fuzzer that looks at coverage: ``python -m tests.hostile.coverage parser --runs 100000``, or ``make fuzz-coverage`` for
all.

Runs one of `tests.hostile.targets` under atheris, which is installed into the environment for this if it is missing. The corpus
begins with what `tests.hostile.grammar` grows and is kept in ``build/fuzz``; so is the input of a crash.
"""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

NAMES = ("parser", "message", "jid", "sasl", "frame", "search")


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@click.option("--runs", default=100_000)
@click.option("--seed", default=0, help="0: another one each time.")
def main(name: str, runs: int, seed: int) -> None:
    """Run one target; a crash ends it with the input."""
    try:
        import atheris
    except ImportError:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "atheris"], check=True)
        import atheris
    with atheris.instrument_imports(include=["engine", "index"]):  # before anybody has imported them
        from tests.hostile import targets
    seed = seed or random.randrange(1, 1 << 31)
    folder = Path("build/fuzz") / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(targets.corpus(name)):
        (folder / f"seed-{number}").write_bytes(data)
    click.echo(f"{name}: seed {seed}, {runs} runs")
    options = [
        f"-runs={runs}",
        f"-seed={seed}",
        "-max_len=8192",
        "-print_final_stats=1",
        "-artifact_prefix=build/fuzz/",
    ]
    target: Any = targets.TARGETS[name]
    atheris.Setup([sys.argv[0], str(folder), *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
