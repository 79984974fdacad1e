"""`make bench NAME=blend ARGS="greedy [--autogluon PYTHON] | command | rows | honesty"`; without, the first two."""

from __future__ import annotations

import argparse

from tests.benchmarks.blend import command, greedy, honesty, rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.blend")
    parser.add_argument("what", nargs="*", default=["greedy", "command"])
    parser.add_argument("--autogluon", help="Python of an environment in which autogluon.core is installed")
    parser.add_argument("--rows", type=int, nargs="+", choices=list(honesty.PROMISES), default=list(honesty.PROMISES))
    chosen = parser.parse_args()
    works = {
        "greedy": lambda: greedy.main(chosen.autogluon),
        "command": command.main,
        "rows": rows.main,
        "honesty": lambda: honesty.main(chosen.rows),
    }
    for what in chosen.what:
        works[what]()


if __name__ == "__main__":
    main()
