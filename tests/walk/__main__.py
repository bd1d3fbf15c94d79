"""Walk through the pages with a real Chromium: with scripts and without, by mouse and by keyboard, on both databases.

    make browse

starts ``umbra serve`` for each walk, on a free port of this machine, goes the whole way of ``story.walk``, and prints
what was walked. QR codes are read off the screen by zbarimg and codes computed by oathtool, neither of which knows us.
Wants chromium, zbarimg and oathtool. Exits with non-zero, and the reason, when something is not as it should be.
"""

import argparse
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from walk.walks import Plan, Walked, plans, walked

AT_ONCE = 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Walk through the pages with Chromium.")
    parser.add_argument("pictures", type=Path, help="folder for the pictures")
    made = plans(parser.parse_args().pictures)
    for plan in made:
        if plan.pictures is not None:
            plan.pictures.mkdir(parents=True, exist_ok=True)
            for old in plan.pictures.glob("*.png"):
                old.unlink()
    with ProcessPoolExecutor(AT_ONCE, get_context("spawn")) as processes:
        results = {plan: processes.submit(walked, plan) for plan in made}
        sys.exit(told(results) > 0)


def told(results: dict[Plan, "Future[Walked]"]) -> int:
    """Print what was walked and what is wrong, and return how much that is."""
    sys.stdout.write("database    scripts  hands     stops  pictures  heaviest bytes  mails  requests  seconds\n")
    reasons = []
    for plan, future in results.items():
        done = future.result()
        sys.stdout.write(f"{plan}  {done}\n")
        sys.stdout.flush()
        reasons += [f"{plan}: {reason}" for reason in done.reasons]
    sys.stdout.write("\n".join(reasons or ["all as it should be"]) + "\n")
    return len(reasons)


if __name__ == "__main__":
    main()
