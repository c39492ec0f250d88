"""Nets of an operator each, on realistic sizes, timed on request.

Run by this Caffe2's Python and by that of the original, 3.8, as a folder: it knows nothing of a package around it.
"""

from __future__ import annotations

import sys

import dense  # noqa: F401
import detection  # noqa: F401
import sequence  # noqa: F401
import sparse  # noqa: F401
from works import WORKS, Work

from caffe2.python import workspace


def main():
    """Answer requests: "list", "forget", or the name of a work and a budget in seconds."""
    workspace.GlobalInit(["works"])
    made = {}
    for line in sys.stdin:
        name, _, budget = line.strip().partition(" ")
        try:
            if name == "list":
                print(*WORKS, flush=True)
                continue
            if name == "forget":
                made.clear()
                workspace.ResetWorkspace()
                print(flush=True)
                continue
            if name not in made:
                made.clear()
                made[name] = Work(name)
            print(made[name].seconds(float(budget)), flush=True)
        except Exception as error:
            print("fails: " + str(error).replace("\n", " ")[:200], flush=True)


if __name__ == "__main__":
    main()
