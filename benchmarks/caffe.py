"""Are translated Caffe models as fast as OpenCV's reading of them, and as eager PyTorch with the same layers?

python -m benchmarks.caffe [--device cuda] [--batch 1] [--only NAME]

Also: how long translating takes, and how much memory, as ratios to reading the file and to its size.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from benchmarks.caffe_nets import Classic, Peer, caffenet, googlenet, squeezenet
from caffe2.bridge.caffe import read_net
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.python import caffe_translator, core, workspace
from caffe2.python._translator_command import main as translator

try:
    import cv2
except ImportError:
    cv2 = None

CLASSICS = {"CaffeNet": caffenet, "GoogLeNet": googlenet, "SqueezeNet": squeezenet}


def write_files(net: Classic, peer: Peer, batch: int, prototxt: Path, caffemodel: Path) -> None:
    """The net as prototxt and caffemodel, with the weights of the peer."""
    prototxt.write_text(net.prototxt(batch))
    weights = caffe_pb2.NetParameter(name=net.name)
    parameters = list(peer.parameters())
    for layer in read_net(prototxt).layers:
        made = weights.layer.add(name=layer.name, type=layer.type)
        for _ in layer.params:
            value = parameters.pop(0).detach()
            made.blobs.add(shape=caffe_pb2.BlobShape(dim=value.shape), data=value.ravel().tolist())
    caffemodel.write_bytes(weights.SerializeToString())


def translated(files: tuple[Path, Path], images: np.ndarray, device: str) -> Callable[[], object]:
    """The translated net on a batch, made ready."""
    option = core.DeviceOption(caffe2_pb2.CUDA if device == "cuda" else caffe2_pb2.CPU)
    init_net, predict_net = caffe_translator.translate_files(*files)
    workspace.ResetWorkspace()
    for net in (init_net, predict_net):
        net.device_option.CopyFrom(option)
    workspace.RunNetOnce(init_net)
    workspace.FeedBlob("data", images, option)
    workspace.CreateNet(predict_net)

    def run() -> np.ndarray:
        workspace.RunNet(predict_net.name)
        return workspace.FetchBlob("prob")

    return run


def eager(peer: Peer, images: np.ndarray, device: str) -> Callable[[], object]:
    """The peer on a batch."""
    module, data = peer.to(device), torch.from_numpy(images).to(device)

    def run() -> np.ndarray:
        with torch.no_grad():
            return module(data).cpu().numpy()

    return run


def opencv(files: tuple[Path, Path], images: np.ndarray, device: str) -> Callable[[], object]:
    """OpenCV's net on a batch."""
    net = cv2.dnn.readNetFromCaffe(*map(str, files))

    def run() -> object:
        net.setInput(images)
        return net.forward()

    return run


class Worker:
    """One of the works in a process of its own, so that its threads are in nobody's way."""

    def __init__(self, name: str, work: str, batch: int, device: str, files: tuple[Path, Path]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, name, work, batch, device, files), daemon=True)
        self.process.start()
        self.output = self.pipe.recv()

    def seconds(self, runs: int) -> float:
        self.pipe.send(runs)
        return self.pipe.recv()

    def close(self) -> None:
        self.pipe.send(0)
        self.process.join()


def serve(pipe: Connection, name: str, work: str, batch: int, device: str, files: tuple[Path, Path]) -> None:
    """In a worker's process: send the output, then the time of as many runs as asked for."""
    net = CLASSICS[name]()
    torch.manual_seed(0)
    peer = Peer(net).eval()
    if not files[0].exists():
        write_files(net, peer, batch, *files)
    images = np.random.default_rng(0).standard_normal((batch, 3, net.size, net.size)).astype(np.float32)
    if work == "torch":
        run = eager(peer, images, device)
    else:
        run = {"caffe2": translated, "opencv": opencv}[work](files, images, device)
    pipe.send(run())
    while runs := pipe.recv():
        start = time.perf_counter()
        for _ in range(runs):
            run()
        pipe.send((time.perf_counter() - start) / runs)


def forward(name: str, batch: int, device: str, rounds: int, files: tuple[Path, Path]) -> None:
    """Time a forward pass of all in turn, after a look that they compute the same."""
    works = ["torch", "caffe2"] + ["opencv"] * (
        device == "cpu" and hasattr(getattr(cv2, "dnn", None), "readNetFromCaffe")
    )
    workers = {work: Worker(name, work, batch, device, files) for work in works}
    for work in works[1:]:
        np.testing.assert_allclose(workers[work].output, workers["torch"].output, rtol=1e-3, atol=1e-6)
    times: dict[str, list[float]] = {work: [] for work in works}
    for _ in range(rounds):
        for work, worker in workers.items():
            worker.seconds(2)
            times[work].append(worker.seconds(5))
    print(f"{name} forward, batch {batch}, {device}")
    for work, spent in times.items():
        ratio = statistics.median(a / b for a, b in zip(times["caffe2"], spent))
        print(f"  {work:8} {statistics.median(spent) * 1e3:10.2f} ms   caffe2 takes {ratio:.2f} x")
        workers[work].close()


def translation(prototxt: Path, caffemodel: Path) -> str:
    """What translating costs beside reading the file, in a process of its own."""
    words = [str(prototxt), str(caffemodel), "--out", str(prototxt.parent), "--no-verify"]
    size, own = caffemodel.stat().st_size, peak()
    spent = []
    for _ in range(3):
        with contextlib.redirect_stdout(io.StringIO()):
            spent.append(spend(lambda: translator(words)))
    memory = (peak() - own) / size
    read = [spend(caffemodel.read_bytes) for _ in range(3)]
    told = f"  translating {size / 1e6:.0f} MB: {min(spent) / min(read):.2f} x reading the file"
    return f"{told}; memory {memory:.2f} x its size, beside {own / 1e6:.0f} MB of the libraries"


def spend(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--device", default="cpu")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--only", default="")
    a = p.parse_args()
    if cv2 is None:
        print("OpenCV is not installed, and not measured: pip install 'opencv-python-headless<5'")
    for name in CLASSICS:
        if a.only in name:
            with tempfile.TemporaryDirectory() as folder:
                files = Path(folder) / "net.prototxt", Path(folder) / "net.caffemodel"
                forward(name, a.batch, a.device, a.rounds, files)
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(pool.apply(translation, files))


if __name__ == "__main__":
    main()
