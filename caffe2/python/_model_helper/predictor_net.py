"""The part of a net that computes some blobs from others."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from caffe2.proto import caffe2_pb2
from caffe2.python import core

logger = logging.getLogger(__name__)


def ExtractPredictorNet(
    net_proto: caffe2_pb2.NetDef,
    input_blobs: Iterable[core.BlobReference | str],
    output_blobs: Iterable[core.BlobReference | str],
    device: caffe2_pb2.DeviceOption | None = None,
    renames: Mapping[str, str] | None = None,
    disabled_inputs: Iterable[str] | None = None,
) -> tuple[core.Net, list[str]]:
    """The operators of a net from the first that reads an input to the last that writes an output, save those that
    read unknown blobs; and the names of the other blobs, the parameters, that they read.

    device: where all of them are put.
    renames: new names of blobs, by their old ones.
    disabled_inputs: blobs that count as unknown, with all that is computed from them.
    Raises ValueError where no operator reads an input or writes an output, or where one has is_test=0.
    """
    extraction = _Extraction(net_proto, input_blobs, output_blobs, device, renames or {}, disabled_inputs or ())
    extraction.run()
    return extraction.net, extraction.parameters()


class _Extraction:
    def __init__(
        self,
        source: caffe2_pb2.NetDef,
        inputs: Iterable[core.BlobReference | str],
        outputs: Iterable[core.BlobReference | str],
        device: caffe2_pb2.DeviceOption | None,
        renames: Mapping[str, str],
        disabled: Iterable[str],
    ) -> None:
        self.source = source
        self.source_input = set(source.external_input)
        self.source_output = set(source.external_output)
        self.inputs = list(dict.fromkeys(map(str, inputs)))
        self.outputs = list(dict.fromkeys(map(str, outputs)))
        self.device = device
        self.renames = renames
        self.known = {*self.source_input, *self.inputs} - set(map(str, disabled))
        self.net = core.Net(source.name + "_predict")
        self.external_input = dict.fromkeys(self.inputs)
        self.external_output = dict.fromkeys(self.outputs)

    def run(self) -> None:
        proto = self.net.Proto()
        for op in self._span():
            if not self.known.issuperset(op.input):
                logger.debug("operator %s reads unknown blobs: %s", op.type, set(op.input) - self.known)
                continue
            copy = proto.op.add()
            copy.CopyFrom(op)
            self._adapt(copy)
            self.known.update(op.output)
            self._note_external(op.input, op.output)
        proto.external_input.extend(self._renamed(self.external_input))
        proto.external_output.extend(self._renamed(self.external_output))

    def parameters(self) -> list[str]:
        inputs = set(self._renamed(self.inputs))
        return [name for name in self.net.Proto().external_input if name not in inputs]

    def _span(self) -> list[caffe2_pb2.OperatorDef]:
        ops = list(self.source.op)
        reads = [i for i, op in enumerate(ops) if op.type != "StopGradient" and set(self.inputs) & set(op.input)]
        writes = [i for i, op in enumerate(ops) if set(self.outputs) & set(op.output)]
        if not reads:
            raise ValueError(f"No ops with input={self.inputs}")
        if not writes:
            raise ValueError(f"No ops with output={self.outputs}")
        return ops[reads[0] : writes[-1] + 1]

    def _adapt(self, op: caffe2_pb2.OperatorDef) -> None:
        """Rename the blobs of an operator, put it on the device, and drop the backward net of a recurrent one."""
        for arg in op.arg:
            if arg.name == "is_test" and arg.i == 0:
                raise ValueError(
                    "An operator had is_test=0, did you try to extract a predictor from a train model (instead of test"
                    f" model)? Op was: {op}"
                )
            if op.type == "RecurrentNetwork" and arg.name == "backward_step_net":
                arg.ClearField("n")
            elif op.type == "RecurrentNetwork" and arg.name == "step_net":
                self._adapt_step_net(arg.n)
        self._move(op)

    def _adapt_step_net(self, net: caffe2_pb2.NetDef) -> None:
        for op in net.op:
            self._move(op)
        for blobs in (net.external_input, net.external_output):
            blobs[:] = self._renamed(blobs)
        self._note_external(net.external_input, ())

    def _move(self, op: caffe2_pb2.OperatorDef) -> None:
        op.input[:] = self._renamed(op.input)
        op.output[:] = self._renamed(op.output)
        if self.device is not None:
            op.device_option.device_type = self.device.device_type
            op.device_option.device_id = self.device.device_id

    def _note_external(self, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        self.external_input.update(dict.fromkeys(b for b in inputs if b in self.source_input))
        self.external_output.update(dict.fromkeys(b for b in outputs if b in self.source_output))

    def _renamed(self, blobs: Iterable[str]) -> list[str]:
        return [self.renames.get(blob, blob) for blob in blobs]
