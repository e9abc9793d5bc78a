"""Bench, command line: `python -m bench [PART …] [--quick]`; none named is all of them."""

import argparse

from bench.report import PARTS, report

parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Paceline beside what else one might use.")
parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure")
parser.add_argument("--runs", type=int, default=1, help="of each subject in quota; the median counts")
parser.add_argument("--quick", action="store_true", help="smaller, within a minute: quota and throughput")
if __name__ == "__main__":
    given = parser.parse_args()
    report(given.parts, given.runs, quick=given.quick)
