"""Normalizers: what a layer model applies to the outputs of its layers."""

from __future__ import annotations

from typing import Any


class Normalizer:
    """Called with a layer model and a record, adds a layer that normalizes the record; the normalized record."""

    def __call__(self, net: Any, param: Any) -> Any:
        return self._run(net, param)

    def _run(self, net: Any, param: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how it normalizes")


class BatchNormalizer(Normalizer):
    """Batch normalization, whose running statistics keep the share `momentum` of what they were.

    scale_init_value: where the learned scale starts.
    """

    def __init__(self, momentum: float, scale_init_value: float = 1.0) -> None:
        self._momentum = float(momentum)
        self._scale_init_value = float(scale_init_value)

    def _run(self, layer_model: Any, param: Any) -> Any:
        return layer_model.BatchNormalization(param, momentum=self._momentum, scale_init_value=self._scale_init_value)


class LayerNormalizer(Normalizer):
    """Layer normalization, with `epsilon` added to the variance.

    use_layer_norm_op: use the one operator LayerNorm rather than several.
    scale_init_value: where the learned scale starts.
    """

    def __init__(self, epsilon: float, use_layer_norm_op: bool = True, scale_init_value: float = 1.0) -> None:
        self._epsilon = float(epsilon)
        self._use_layer_norm_op = use_layer_norm_op
        self._scale_init_value = float(scale_init_value)

    def _run(self, layer_model: Any, param: Any) -> Any:
        return layer_model.LayerNormalization(
            param,
            epsilon=self._epsilon,
            use_layer_norm_op=self._use_layer_norm_op,
            scale_init_value=self._scale_init_value,
        )
