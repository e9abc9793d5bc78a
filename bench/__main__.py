"""Bench, command line: `python -m bench [PART …] [--quick]`; none named is all of them."""

import argparse

from bench.report import PARTS, Size, report

parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Paceline beside what else one might use.")
parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure")
parser.add_argument("--quick", action="store_true", help="smaller, in about a minute: quota and throughput")
parser.add_argument("--runs", type=int, help="of each subject in quota, and turns of decisions; the medians count")
parser.add_argument("--pairs", type=int, help="turns in throughput for each number of processes; the medians count")
parser.add_argument("--processes", type=int, nargs="+", help="numbers of processes in throughput")
if __name__ == "__main__":
    given = parser.parse_args()
    processes = tuple(given.processes) if given.processes else None
    report(given.parts, Size(given.quick, given.runs, given.pairs, processes))
