"""What tests of layers share: a model, its nets, and checks of what operators these hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, layer_model_helper, layer_model_instantiator, schema, test_util, utils, workspace
from caffe2.python._misuse import demand


class _Operator(NamedTuple):
    type: str
    input: Sequence[Any] | None
    output: Sequence[Any] | None
    arg: Mapping[str, Any] | None


class OpSpec(_Operator):
    """An operator to be expected; blobs and arguments that are None may be any."""

    def __new__(
        cls,
        op_type: str,
        op_input: Sequence[Any] | None,
        op_output: Sequence[Any] | None,
        op_arg: Mapping[str, Any] | None = None,
    ) -> OpSpec:
        return super().__new__(cls, op_type, op_input, op_output, op_arg)


class LayersTestCase(test_util.TestCase):
    """A test with a model of layers, `self.model`, whose input are 32 float features."""

    def setUp(self) -> None:
        super().setUp()
        self.setup_example()

    def setup_example(self) -> None:
        """Begin anew with an empty workspace and a model without layers; hypothesis calls it before each example."""
        workspace.ResetWorkspace()
        self.reset_model()

    def reset_model(
        self, input_feature_schema: schema.Field | None = None, trainer_extra_schema: schema.Field | None = None
    ) -> None:
        """Begin with a model without layers."""
        features = schema.Struct(("float_features", schema.Scalar((np.float32, (32,)))))
        self.model = layer_model_helper.LayerModelHelper(
            "test_model",
            input_feature_schema=input_feature_schema or features,
            trainer_extra_schema=trainer_extra_schema or schema.Struct(),
        )

    def new_record(self, schema_obj: schema.Field) -> schema.Field:
        """A record with new blobs of the model."""
        return schema.NewRecord(self.model.net, schema_obj)

    def get_training_nets(self, add_constants: bool = False) -> tuple[core.Net, core.Net]:
        """The init net and the net of the layers alone, for training."""
        train_net = core.Net("train_net")
        name = "train_init_net"
        train_init_net = self.model.create_init_net(name) if add_constants else core.Net(name)
        for layer in self.model.layers:
            layer.add_operators(train_net, train_init_net)
        return train_init_net, train_net

    def get_eval_net(self) -> core.Net:
        """The net for evaluation."""
        return layer_model_instantiator.generate_eval_net(self.model)

    def get_predict_net(self) -> core.Net:
        """The net for prediction."""
        return layer_model_instantiator.generate_predict_net(self.model)

    def run_train_net(self) -> None:
        """Run the model's training once."""
        self.model.output_schema = schema.Struct()
        train_init_net, train_net = layer_model_instantiator.generate_training_nets(self.model)
        workspace.RunNetOnce(train_init_net)
        workspace.RunNetOnce(train_net)

    def run_train_net_forward_only(self, num_iter: int = 1) -> None:
        """Run the model's training net without gradients, a number of times."""
        demand(num_iter > 0, "num_iter must be larger than 0")
        self.model.output_schema = schema.Struct()
        train_init_net, train_net = layer_model_instantiator.generate_training_nets_forward_only(self.model)
        workspace.RunNetOnce(train_init_net)
        workspace.CreateNet(train_net)
        workspace.RunNet(train_net.Proto().name, num_iter=num_iter)

    def assertBlobsEqual(self, spec_blobs: Sequence[Any] | None, op_blobs: Sequence[Any]) -> None:
        """Blobs are those expected; None, for all or for one, may be any."""
        if spec_blobs is None:
            return
        self.assertEqual(len(spec_blobs), len(op_blobs))
        for spec_blob, op_blob in zip(spec_blobs, op_blobs):
            if spec_blob is not None:
                self.assertEqual(spec_blob, op_blob)

    def assertArgsEqual(self, spec_args: Mapping[str, Any], op_args: Sequence[caffe2_pb2.Argument]) -> None:
        """Arguments are those expected, in any order."""
        self.assertEqual(len(spec_args), len(op_args))
        self.assertEqual([utils.MakeArgument(arg.name, spec_args[arg.name]) for arg in op_args], list(op_args))

    def assertNetContainOps(self, net: core.Net, op_specs: Sequence[OpSpec]) -> Any:
        """The operators of a net are those expected; the operators."""
        ops = net.Proto().op
        self.assertEqual(len(op_specs), len(ops))
        for op, op_spec in zip(ops, op_specs):
            self.assertEqual(op_spec.type, op.type)
            self.assertBlobsEqual(op_spec.input, op.input)
            self.assertBlobsEqual(op_spec.output, op.output)
            if op_spec.arg is not None:
                self.assertArgsEqual(op_spec.arg, op.arg)
        return ops
