"""What a model of layers gives: metrics, outputs, predictions and losses."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand


def _demand_record(value: Any, what: str) -> None:
    demand(isinstance(value, (schema.Scalar, schema.Struct)), f"{what} is a Scalar or a Struct, not {value!r}")


class Outputs:
    """The part of a model of layers that holds its records but the input; some can be set once."""

    net: core.Net
    ad_hoc_plot_blobs: list[Any]

    def _init_outputs(self) -> None:
        self._loss: Any = None
        self._prediction: list[tuple[Any, float]] = []
        self._output_schema: Any = None
        self._preproc_output_schema: Any = None
        self._metrics_schema = schema.Struct()

    # Metrics

    @property
    def metrics_schema(self) -> schema.Struct:
        """The record of the metrics."""
        return self._metrics_schema

    def add_metric_field(self, name: str, value: Any) -> None:
        """Add a metric. Raises Misuse where there is one of that name."""
        demand(name not in self._metrics_schema.fields, f"there is a metric named {name} already")
        self._metrics_schema = self._metrics_schema + schema.Struct((name, value))

    def filter_metrics_schema(self, white_set: Collection[str]) -> None:
        """Keep these metrics alone."""
        for name in self._metrics_schema.field_names():
            if name not in white_set:
                self._metrics_schema = self._metrics_schema - schema.Struct((name, schema.Scalar()))

    def add_ad_hoc_plot_blob(self, blob: core.BlobReference | str, dtype: Any = None) -> None:
        """Make a blob, by default of one float64, a metric to plot."""
        demand(isinstance(blob, (str, core.BlobReference)), f"a blob is a reference or a name, not {blob!r}")
        self.add_metric_field(str(blob), schema.Scalar(dtype or (float, (1,)), _reference(blob)))
        self.ad_hoc_plot_blobs.append(blob)

    # Outputs

    @property
    def output_schema(self) -> schema.Struct:
        """The record that the model gives; it can be set once."""
        demand(self._output_schema is not None, "the model has no output_schema")
        return self._output_schema

    @output_schema.setter
    def output_schema(self, output_schema: schema.Struct) -> None:
        demand(self._output_schema is None, "the model has an output_schema already")
        self._output_schema = output_schema

    def clear_output_schema(self) -> None:
        """Let output_schema be set anew."""
        self._output_schema = None

    def add_output_schema(self, name: str, value: schema.Field) -> None:
        """Add a field to the record that the model gives. Raises Misuse where there is one of that name."""
        _demand_record(value, f"output {name}")
        before = schema.Struct() if self._output_schema is None else self._output_schema
        demand(name not in before.fields, f"Output Schema Field {name} already exists")
        self._output_schema = before + schema.Struct((name, value))

    @property
    def preproc_output_schema(self) -> schema.Struct:
        """The record that preprocessing gives; it can be set once."""
        demand(self._preproc_output_schema is not None, "the model has no preproc_output_schema")
        return self._preproc_output_schema

    @preproc_output_schema.setter
    def preproc_output_schema(self, preproc_output_schema: schema.Struct) -> None:
        demand(self._preproc_output_schema is None, "the model has a preproc_output_schema already")
        self._preproc_output_schema = preproc_output_schema

    @property
    def prediction(self) -> list[tuple[Any, float]]:
        """The predictions with their weights."""
        demand(self._prediction, "model prediction is empty")
        return self._prediction

    def add_prediction(self, prediction: Any, weight: float = 1.0) -> None:
        """Add a prediction."""
        demand(prediction is not None, "Added prediction should not be None")
        self._prediction.append((prediction, weight))

    # Losses

    @property
    def loss(self) -> Any:
        """The record of the losses; it can be set once, and added to."""
        demand(self._loss is not None, "the model has no loss")
        return self._loss

    @loss.setter
    def loss(self, loss: Any) -> None:
        demand(self._loss is None, "the model has a loss already")
        self._loss = loss

    def has_loss(self) -> bool:
        """Whether there is a loss."""
        return self._loss is not None

    def add_loss(self, loss: schema.Field, name: str = "unnamed") -> None:
        """Add a loss; the model is trained for the sum of all."""
        _demand_record(loss, "a loss")
        if self._loss is None:
            self._loss = schema.Struct((name, loss))
            return
        if isinstance(self._loss, schema.Scalar):
            self._loss = schema.Struct(("unnamed", self._loss))
        unique, index = name, 0
        while unique in self._loss:
            unique, index = f"{name}_auto_{index}", index + 1
        self._loss = self._loss + schema.Struct((unique, loss))


def _reference(blob: core.BlobReference | str) -> core.BlobReference:
    return blob if isinstance(blob, core.BlobReference) else core.BlobReference(blob)
