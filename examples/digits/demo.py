"""The whole job on bundled data: translate a Caffe model, verify it, classify with it; train a net, save it, load it.

python -m examples.digits.demo [FOLDER]          FOLDER, by default demo-out, takes the files that are made
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from caffe2.python import workspace
from examples.digits import classify, train
from examples.digits.data import HERE


def step(title: str) -> None:
    print(f"\n== {title}", flush=True)


def python(*words: str) -> None:
    """Run a module in a process of its own, showing the command."""
    print("$ python -m " + " ".join(words), flush=True)
    subprocess.run([sys.executable, "-m", *words], check=True)


def main(folder: Path) -> None:
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)

    step("A Caffe model becomes a Caffe2 one, and every blob of it is checked")
    here = HERE.relative_to(Path.cwd()) if HERE.is_relative_to(Path.cwd()) else HERE
    files = [str(here / "deploy.prototxt"), str(here / "lenet.caffemodel")]
    python("caffe2.python.caffe_translator", *files, "--out", str(folder))

    step("It classifies handwritten digits")
    caffe_accuracy = classify.main(folder)

    step("A net is trained from scratch")
    accuracy = train.main(folder / "digits.minidb")
    ours = workspace.FetchBlob("softmax")

    step("Saved, loaded in a new process, it predicts the same")
    python("examples.digits.predict", str(folder / "digits.minidb"), str(folder / "predictions.npy"))
    again = np.load(folder / "predictions.npy")
    print(f"largest difference of {again.size} probabilities: {np.abs(again - ours).max():.2g}")

    if caffe_accuracy < 0.97 or accuracy < 0.97 or not np.allclose(again, ours, atol=1e-6):
        raise SystemExit("the demo did not reach what it should")
    print(f"\nall done in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-out"))
