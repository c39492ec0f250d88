"""What is added to the training net of a model of layers: regularizers, optimizers, modifiers, seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.modeling.net_modifier import NetModifier
from caffe2.python.optimizer import get_param_device
from caffe2.python.regularizer import RegularizationBy, Regularizer

Devices = Mapping[Any, caffe2_pb2.DeviceOption] | None


class Training:
    """The part of a model of layers that knows how its parameters are updated."""

    param_to_optim: dict[str, Any]
    param_to_reg: dict[core.BlobReference, Any]

    def _init_training(self) -> None:
        self._seed: int | None = None
        self._sequence_seed = True
        self.param_to_optim = {}
        self.param_to_reg = {}
        self._default_optimizer: Any = None
        self._post_grad_net_modifiers: list[NetModifier] = []
        self._final_net_modifiers: list[NetModifier] = []

    # Seeds

    @property
    def seed(self) -> int | None:
        """The random seed of the nets."""
        return self._seed

    @property
    def sequence_seed(self) -> bool:
        """Whether each operator has a seed of its own."""
        return self._sequence_seed

    def store_seed(self, seed: int | None, sequence_seed: bool = True) -> None:
        """Settle the random seed; see Net.set_rand_seed."""
        self._seed = seed
        self._sequence_seed = sequence_seed

    def apply_seed(self, net: core.Net) -> None:
        """Give a net the random seed, if there is one."""
        if self._seed:
            net.set_rand_seed(self._seed, self._sequence_seed)

    # Optimizers

    @property
    def default_optimizer(self) -> Any:
        """The optimizer of parameters that have none of their own."""
        return self._default_optimizer

    @default_optimizer.setter
    def default_optimizer(self, optimizer: Any) -> None:
        self._default_optimizer = optimizer

    def NoOptim(self, *args: Any, **kwargs: Any) -> None:
        """The optimizer that updates nothing."""

    def apply_optimizers(
        self, train_net: core.Net, train_init_net: core.Net, grad_map: Mapping[str, Any], blob_to_device: Devices = None
    ) -> None:
        """Add the update of each parameter by its optimizer, on its device."""
        for param, optimizer in self.param_to_optim.items():
            demand(optimizer is not None, f"parameter {param} has no optimizer; set default_optimizer before its layer")
            grad = grad_map.get(str(param))
            device = _device(param, grad, blob_to_device)
            del device.extra_info[:]
            with core.DeviceScope(device):
                optimizer(train_net, train_init_net, param, grad)

    # Regularizers

    def _regularizers(self) -> Iterator[tuple[core.BlobReference, Regularizer]]:
        for param, regularizer in self.param_to_reg.items():
            if regularizer is not None:
                demand(
                    isinstance(regularizer, Regularizer),
                    f"a regularizer is a Regularizer, not {regularizer!r}: {param}",
                )
                yield param, regularizer

    def apply_regularizers_on_loss(
        self, train_net: core.Net, train_init_net: core.Net, blob_to_device: Devices = None
    ) -> None:
        """Add the penalties on parameters to the losses."""
        for param, regularizer in self._regularizers():
            loss = regularizer(train_net, train_init_net, param, grad=None, by=RegularizationBy.ON_LOSS)
            if loss is not None:
                self.add_loss(schema.Scalar(blob=loss), str(loss))

    def apply_regularizers_after_optimizer(
        self, train_net: core.Net, train_init_net: core.Net, grad_map: Mapping[str, Any], blob_to_device: Devices = None
    ) -> None:
        """Add what holds parameters to their constraints after each update."""
        for param, regularizer in self._regularizers():
            grad = grad_map.get(str(param))
            with core.DeviceScope(_device(param, grad, blob_to_device)):
                regularizer(train_net, train_init_net, param, grad=grad, by=RegularizationBy.AFTER_OPTIMIZER)

    # Modifiers

    def add_post_grad_net_modifiers(self, modifier: NetModifier) -> None:
        """Let a modifier see the training net once it has gradients."""
        _add_modifier(self._post_grad_net_modifiers, modifier)

    def add_final_net_modifiers(self, modifier: NetModifier) -> None:
        """Let a modifier see the training net when it is finished."""
        _add_modifier(self._final_net_modifiers, modifier)

    def apply_post_grad_net_modifiers(
        self,
        trainer_net: core.Net,
        trainer_init_net: core.Net,
        grad_map: Mapping[str, Any],
        blob_to_device: Devices = None,
        modify_output_record: bool = False,
    ) -> None:
        """Have the training net modified by those that look at the gradients of parameters."""
        of_params = {param: grad_map[param] for param in self.param_to_optim if param in grad_map}
        for modifier in self._post_grad_net_modifiers:
            modifier(trainer_net, trainer_init_net, of_params, blob_to_device, modify_output_record)

    def apply_final_net_modifiers(
        self,
        trainer_net: core.Net,
        trainer_init_net: core.Net,
        grad_map: Mapping[str, Any],
        blob_to_device: Devices = None,
        modify_output_record: bool = False,
    ) -> None:
        """Have the finished training net modified."""
        for modifier in self._final_net_modifiers:
            modifier(trainer_net, trainer_init_net, grad_map, blob_to_device, modify_output_record)


def _device(param: Any, grad: Any, devices: Devices) -> caffe2_pb2.DeviceOption:
    cpu = caffe2_pb2.DeviceOption(device_type=caffe2_pb2.CPU)
    return get_param_device(param, grad, param_to_device=devices or {}, default_device=cpu)


def _add_modifier(modifiers: list[NetModifier], modifier: NetModifier) -> None:
    demand(modifier not in modifiers, f"the modifier {modifier!r} is there already")
    demand(isinstance(modifier, NetModifier), f"a modifier is a NetModifier, not {modifier!r}")
    modifiers.append(modifier)
