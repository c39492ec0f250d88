"""The nets of a model of layers: for training, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Iterable

from caffe2.python import core, schema
from caffe2.python.layer_model_helper import LayerModelHelper
from caffe2.python.layers.layers import InstantiationContext, ModelLayer
from caffe2.python.layers.tags import Tags

Nets = tuple[core.Net, core.Net]


def _filter_layers(layers: list[ModelLayer], include_tags: Iterable[str] | None) -> list[ModelLayer]:
    """The layers that have one of these tags; all where None."""
    if include_tags is None:
        return layers
    wanted = set(include_tags)
    return [layer for layer in layers if not wanted.isdisjoint(layer.tags)]


def shrink_output_schema(net: core.Net, out_schema: schema.Field) -> schema.Field:
    """The fields of a record, if there are several, whose blobs a net defines."""
    if len(out_schema.field_names()) <= 1:
        return out_schema
    exists = [net.BlobIsDefined(blob) for blob in out_schema.field_blobs()]
    columns = (
        out_schema.field_names(),
        out_schema.field_types(),
        out_schema.field_blobs(),
        out_schema.field_metadata(),
    )
    return schema.from_column_list(*([item for ok, item in zip(exists, column) if ok] for column in columns))


def generate_predict_net(model: LayerModelHelper, include_tags: Iterable[str] | None = None) -> core.Net:
    """The net for prediction, from the input features to the model's output."""
    predict_net = core.Net("predict_net")
    for layer in _filter_layers(model.layers, include_tags):
        if Tags.EXCLUDE_FROM_PREDICTION not in layer.tags:
            layer.add_operators(predict_net, context=InstantiationContext.PREDICTION)
    predict_net.set_input_record(model.input_feature_schema.clone())
    predict_net.set_output_record(shrink_output_schema(predict_net, model.output_schema.clone()))
    return predict_net


def generate_eval_net(model: LayerModelHelper, include_tags: Iterable[str] | None = None) -> core.Net:
    """The net for evaluation, from the features for training to the model's output and metrics."""
    eval_net = core.Net("eval_net")
    for layer in _filter_layers(model.layers, include_tags):
        if Tags.EXCLUDE_FROM_EVAL not in layer.tags:
            layer.add_operators(eval_net, context=InstantiationContext.EVAL)
    _set_records(eval_net, model)
    return eval_net


def _set_records(net: core.Net, model: LayerModelHelper) -> None:
    net.set_input_record(model.input_feature_schema + model.trainer_extra_schema)
    net.set_output_record(shrink_output_schema(net, model.output_schema + model.metrics_schema))


def _generate_training_net_only(model: LayerModelHelper, include_tags: Iterable[str] | None = None) -> Nets:
    train_net = core.Net("train_net")
    train_init_net = model.create_init_net("train_init_net")
    for layer in _filter_layers(model.layers, include_tags):
        if Tags.EXCLUDE_FROM_TRAIN not in layer.tags:
            layer.add_operators(train_net, train_init_net)
    _set_records(train_net, model)
    return train_init_net, train_net


def generate_training_nets_forward_only(model: LayerModelHelper, include_tags: Iterable[str] | None = None) -> Nets:
    """The init net and the net for training, without gradients."""
    return _generate_training_net_only(model, include_tags)


def generate_training_nets(model: LayerModelHelper, include_tags: Iterable[str] | None = None) -> Nets:
    """The init net and the net for training, with gradients and updates where the model has a loss."""
    train_init_net, train_net = _generate_training_net_only(model, include_tags)
    nets = train_net, train_init_net
    model.apply_regularizers_on_loss(*nets)
    if model.has_loss():
        grad_map = train_net.AddGradientOperators(model.loss.field_blobs())
        model.apply_post_grad_net_modifiers(*nets, grad_map, modify_output_record=True)
        model.apply_optimizers(*nets, grad_map)
        model.apply_regularizers_after_optimizer(*nets, grad_map)
        model.apply_final_net_modifiers(*nets, grad_map, modify_output_record=True)
    return train_init_net, train_net
