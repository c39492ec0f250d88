"""Caffe's training loop, over nets of operators in the current workspace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from caffe2.bridge.caffe.training import Training, write_state, write_weights
from caffe2.bridge.caffe.training.files import check_writable
from caffe2.bridge.caffe.translate.model import Custom
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.python import workspace
from caffe2.python._caffe_solver.average import Average
from caffe2.python._caffe_solver.models import Models
from caffe2.python._caffe_solver.target import CPU

Feed = Callable[[str], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Event:
    """Something that happened in a training.

    kind: "step", a step is done; "display", what the solver's `display` asks for; "test", a test net has run;
    "snapshot", files were written; "end". iteration: how many steps were done before it. loss: of that step; smoothed
    over average_loss steps for a display; of a test where test_compute_loss asks for it. rate: the learning rate.
    outputs: {blob: values} of what the net gives, the mean over its runs for a test. net: the number of the test net.
    """

    kind: str
    iteration: int
    loss: float | None = None
    rate: float | None = None
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    net: int = 0
    files: tuple[str, ...] = ()


class CaffeSolver:
    """A Caffe training: a model with gradients, nets for the solver's step and for tests, and the loop over them.

    init_net fills the parameters, inputs and what the solver remembers. train_net computes the loss and the gradients;
    update_net, after iter_size runs of it, makes the step. test_nets share their parameters. All are NetDefs.
    model, test_models: the ModelHelpers of train_net and test_nets. loss: the blob of the total loss. outputs,
    test_outputs: {blob: loss weight} of what the nets give. param: the SolverParameter. notes: for the user.
    stop: set it to end `events` after the step that runs; save_now: to have it take a snapshot then.
    """

    def __init__(
        self,
        training: Training,
        custom: Custom | None = None,
        feed: Feed | None = None,
        device: caffe2_pb2.DeviceOption = CPU,
    ) -> None:
        if feed is None:
            training.demand_data()
        self.training, self.param, self.notes, self._feed = training, training.param, training.notes, feed
        self._device = device
        self._models = made = Models(training, custom, device)
        self.model, self.test_models = made.train, made.tests
        self.init_net, (self.train_net, self.update_net, *self.test_nets) = made.init_net, made.nets
        self.loss, self.outputs = made.learning.loss, made.learning.outputs
        self.test_outputs = [net.outputs for net in made.testing]
        self.stop = self.save_now = self._begun = False
        self.iteration = training.snapshot.iter if training.snapshot is not None else 0

    def begin(self) -> None:
        """Fill the parameters and make the nets, in the current workspace; the first step does it by itself."""
        if self.param.snapshot:
            check_writable(self.training.prefix)
        workspace.RunNetOnce(self.init_net)
        for net in (self.train_net, self.update_net, *self.test_nets):
            workspace.CreateNet(net, True, self.training.fed)
        self._begun = True

    def save_nets(self, folder: str | os.PathLike) -> list[str]:
        """Write init_net.pb, train_net.pb, update_net.pb and test_net_0.pb ... into a folder; their paths."""
        nets = {"init_net": self.init_net, "train_net": self.train_net, "update_net": self.update_net}
        nets |= {f"test_net_{index}": net for index, net in enumerate(self.test_nets)}
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, net in nets.items():
            (Path(folder) / f"{name}.pb").write_bytes(net.SerializeToString())
        return [str(Path(folder) / f"{name}.pb") for name in nets]

    def step(self) -> float:
        """One step: iter_size passes forward and backward, then the update; the mean loss of the passes."""
        if not self._begun:
            self.begin()
        losses = [self._pass() for _ in range(self.param.iter_size)]
        workspace.RunNet(self.update_net.name)
        self.iteration += 1
        return sum(losses) / len(losses)

    def _pass(self) -> float:
        self._put_inputs("TRAIN")
        workspace.RunNet(self.train_net.name)
        return float(workspace.FetchBlob(self.loss))

    def test(self, index: int = 0) -> Event:
        """Run a test net its test_iter times: the mean of each of its outputs, and of its loss if that is asked for."""
        if not self._begun:
            self.begin()
        loss = self._models.testing[index].loss if self.param.test_compute_loss else ""
        names, count = [*self.test_outputs[index], *[loss] * bool(loss)], self.param.test_iter[index]
        totals = dict.fromkeys(names, np.float64(0))
        for _ in range(count):
            self._put_inputs("TEST")
            workspace.RunNet(self.test_nets[index].name)
            totals = {name: total + workspace.FetchBlob(name) for name, total in totals.items()}
        means = {name: np.asarray(total) / count for name, total in totals.items()}
        outputs = {name: means[name] for name in self.test_outputs[index]}
        return Event("test", self.iteration, float(means[loss]) if loss else None, outputs=outputs, net=index)

    def events(self) -> Iterator[Event]:
        """Train as Caffe does, from where the solver stands to max_iter: an event for all that happens."""
        if not self._begun:
            self.begin()
        p, smooth = self.param, Average(self.param.average_loss)
        while self.iteration < p.max_iter and not self.stop:
            if _due(self.iteration, p.test_interval) and (self.iteration or p.test_initialization):
                yield from self._tests()
            if self.stop:
                break
            yield from self._reported(smooth)
            if _due(self.iteration, p.snapshot) or self.save_now:
                self.save_now = False
                yield self._saved()
        if p.snapshot_after_train and not _due(self.iteration, p.snapshot):
            yield self._saved()
        if not self.stop:
            yield from self._last(smooth)
        yield Event("end", self.iteration)

    def _reported(self, smooth: Average) -> Iterator[Event]:
        """A step, and what is said of it."""
        done, loss = self.iteration, self.step()
        rate, mean = float(workspace.FetchBlob(self._models.update.rate)[0]), smooth(loss)
        if _due(done, self.param.display):
            yield Event("display", done, mean, rate, self._outputs())
        yield Event("step", done, loss, rate)

    def _last(self, smooth: Average) -> Iterator[Event]:
        """The loss and the tests after the last step, where the intervals ask for them."""
        if _due(self.iteration, self.param.display):
            loss = self._pass()
            for total in self._models.update.sums.values():
                workspace.FeedBlob(total, np.zeros_like(workspace.FetchBlob(total)), self._device)
            yield Event("display", self.iteration, smooth(loss))
        if _due(self.iteration, self.param.test_interval):
            yield from self._tests()

    def _tests(self) -> Iterator[Event]:
        for index in range(len(self.test_nets)):
            if not self.stop:
                yield self.test(index)

    def solve(self) -> None:
        """Train to max_iter, with tests and snapshots."""
        for _ in self.events():
            pass

    def snapshot(self, prefix: str | None = None) -> tuple[str, str]:
        """Write PREFIX_iter_N.caffemodel and .solverstate, which Caffe and `translate_solver` go on from; their paths.

        With snapshot_format HDF5 their names end in .h5.
        """
        if not self._begun:
            self.begin()
        stem = f"{prefix or self.training.prefix}_iter_{self.iteration}"
        end = ".h5" if self.param.snapshot_format == caffe_pb2.SolverParameter.HDF5 else ""
        weights, state = f"{stem}.caffemodel{end}", f"{stem}.solverstate{end}"
        learning, update = self._models.learning, self._models.update
        write_weights(weights, learning.net.name, learning.layers(workspace.FetchBlob, shared=not end))
        shapes = [p.param.shape for p in learning.params] * 2
        history = [workspace.FetchBlob(name).reshape(shape) for name, shape in zip(update.history, shapes)]
        step = int(workspace.FetchBlob(update.step)[0])
        write_state(state, self.iteration, weights, step, history)
        return weights, state

    def _saved(self) -> Event:
        return Event("snapshot", self.iteration, files=self.snapshot())

    def _outputs(self) -> dict[str, np.ndarray]:
        return {name: np.asarray(workspace.FetchBlob(name)) for name in self.outputs}

    def _put_inputs(self, phase: str) -> None:
        for name, array in (self._feed(phase) if self._feed else {}).items():
            workspace.FeedBlob(name, array, self._device)


def _due(iteration: int, interval: int) -> bool:
    return interval > 0 and iteration % interval == 0
