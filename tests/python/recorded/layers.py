"""Programs that build models of layers, and their nets for training, evaluation and prediction."""

import numpy as np

from caffe2.python import core, layer_model_helper, layer_model_instantiator, regularizer, schema
from caffe2.python.helpers.arg_scope import arg_scope
from caffe2.python.layers.fc import get_fc_predictor_version
from caffe2.python.layers.layers import InstantiationContext
from caffe2.python.layers.sparse_lookup import get_sparse_lookup_predictor_version
from caffe2.python.layers.tags import Tags
from caffe2.python.modeling.gradient_clipping import GradientClipping
from caffe2.python.optimizer import AdagradOptimizer, SgdOptimizer
from caffe2.python.schema import FeatureSpec, List, Map, Metadata, Scalar, Struct
from tests.python.recorded.text import net, record

PROGRAMS = {}

FLOATS = Scalar((np.float32, (8,)))
COLUMN = Scalar((np.float32, (1,)))
IMAGE = Scalar((np.float32, (4, 4, 3)))
LENGTHS = Scalar(np.int32, metadata=Metadata(categorical_limit=7, expected_value=3))
IDS = List(Scalar(np.int64, metadata=Metadata(categorical_limit=50)), lengths_blob=None)
SCORES = Map(Scalar(np.int64, metadata=Metadata(categorical_limit=50)), np.float32)


def new(features):
    model = layer_model_helper.LayerModelHelper("m", Struct(("x", features)), Struct(("label", Scalar(np.float32))))
    model.default_optimizer = SgdOptimizer(0.5)
    return model, model.input_feature_schema.x


def nets(model, output):
    """All nets of a model, and what is known of its parameters and output."""
    lines = []
    predicts = not any(Tags.EXCLUDE_FROM_PREDICTION in layer.tags for layer in model.layers[-1:])
    if model._output_schema is None:
        model.output_schema = Struct(("output", output)) if predicts else Struct()
    lines.append(repr(output.field_types()))
    predict = layer_model_instantiator.generate_predict_net(model)
    evaluate = layer_model_instantiator.generate_eval_net(model)
    init, train = layer_model_instantiator.generate_training_nets(model)
    accumulate = core.Net("accumulate")
    for layer in model.layers:
        layer.add_operators(accumulate, context=InstantiationContext.ACCUMULATE_PRED)
    known = {}
    for kind, n in (
        ("init", init),
        ("predict", predict),
        ("eval", evaluate),
        ("accumulate", accumulate),
        ("train", train),
    ):
        text = net(n.Proto())
        lines += [f"{kind}: as {known[tuple(text)]}"] if tuple(text) in known else [f"{kind}:"] + text
        known.setdefault(tuple(text), kind)
    lines.append("params: " + " ".join(map(str, model.params)))
    lines += [f"{layer.name}: {sorted(layer.tags)} {layer.get_memory_usage()}" for layer in model.layers]
    return lines


def program(name):
    def add(f):
        PROGRAMS[name] = f

    return add


def layer(name, kind, features, *args, **kwargs):
    def build():
        model, x = new(features)
        return nets(model, getattr(model, kind)(x, *args, **kwargs))

    PROGRAMS[name] = build


layer("AddBias", "AddBias", FLOATS)
layer("ArcCosineFeatureMap", "ArcCosineFeatureMap", FLOATS, 5, s=2)
layer("ArcCosineFeatureMap constant", "ArcCosineFeatureMap", FLOATS, 5, s=0, set_weight_as_global_constant=True)
layer("AdaptiveWeight", "AdaptiveWeight", Struct(("a", Scalar(np.float32)), ("b", Scalar(np.float32))))
layer(
    "AdaptiveWeight inv_var",
    "AdaptiveWeight",
    Struct(("a", Scalar(np.float32)), ("b", Scalar(np.float32))),
    estimation_method="inv_var",
    weights=[1.0, 3.0],
    enable_diagnose=True,
)
LABELED = {"label": Scalar(np.int32), "prediction": COLUMN, "logit": COLUMN, "weight": Scalar(np.float64)}


def labeled(*fields, **others):
    return Struct(*((f, LABELED[f]) for f in fields), *others.items())


layer("BatchHuberLoss", "BatchHuberLoss", labeled("label", "prediction", "weight"), delta=2.0)
layer("BatchMSELoss", "BatchMSELoss", labeled("label", "prediction", "weight"))
layer("BatchLRLoss", "BatchLRLoss", labeled("label", "logit"))
layer(
    "BatchLRLoss all",
    "BatchLRLoss",
    labeled("label", "logit", "prediction", "weight", log_variance=Scalar(np.float32)),
    average_loss=False,
    pos_label_target=0.75,
    neg_label_target=0.25,
    homotopy_weighting=True,
    log_D_trick=True,
    uncertainty_penalty=0.5,
    focal_gamma=2.0,
    stop_grad_in_focal_factor=True,
    task_gamma=0.5,
)
layer("BatchLRLoss jsd", "BatchLRLoss", labeled("label", "logit", "prediction"), jsd_weight=0.25, focal_gamma=0.5)
layer(
    "BatchSigmoidCrossEntropyLoss",
    "BatchSigmoidCrossEntropyLoss",
    Struct(("label", FLOATS.clone_schema()), ("prediction", FLOATS.clone_schema())),
)
SOFTMAX = Struct(("label", Scalar(np.int64)), ("prediction", FLOATS.clone_schema()), ("weight", Scalar(np.float64)))
layer("BatchSoftmaxLoss", "BatchSoftmaxLoss", SOFTMAX, scale=0.5, average_by_batch_size=True)
layer("BatchSoftmaxLoss smooth", "BatchSoftmaxLoss", SOFTMAX, label_smoothing_matrix=np.eye(8))
layer("BatchNormalization", "BatchNormalization", FLOATS, momentum=0.5)
layer("BatchNormalization image", "BatchNormalization", IMAGE, order="NHWC", scale_init_value=0.5)
TWO = Struct(("a", FLOATS.clone_schema()), ("b", FLOATS.clone_schema()))
layer("BlobWeightedSum", "BlobWeightedSum", TWO, init_weights=[1, 2])
RANKED = Struct(("pos_prediction", Scalar(np.float32)), ("neg_prediction", List(np.float32)))
layer("BPRLoss", "BPRLoss", RANKED)
layer("MarginRankLoss", "MarginRankLoss", RANKED, margin=0.25)
layer("MarginRankLoss mean", "MarginRankLoss", RANKED, average_loss=True)
layer("BucketWeighted", "BucketWeighted", SCORES, bucket_boundaries=[1.0, 2.0])
layer("BucketWeighted by score", "BucketWeighted", SCORES, max_score=9, hash_buckets=False)
layer("PositionWeighted", "PositionWeighted", IDS)
layer("Concat", "Concat", TWO)
layer("Concat add_axis", "Concat", TWO, add_axis=1)
layer("Concat examples", "Concat", TWO, axis=0)
layer("ConstantWeight", "ConstantWeight", Struct(("a", Scalar(np.float32)), ("b", Scalar(np.float32))), weights=[1, 2])
layer("HomotopyWeight", "HomotopyWeight", Struct(("a", Scalar(np.float32)), ("b", Scalar(np.float32))), min_weight=0.25)
layer("Conv", "Conv", IMAGE, 5, 3, 3, 1, 2)
layer("Conv NCHW", "Conv", IMAGE, 5, 3, 1, 2, 1, pad_t=1, order="NCHW")
layer("Dropout", "Dropout", FLOATS, ratio=0.25)
layer("Dropout eval", "Dropout", FLOATS, dropout_for_eval=True)
layer("FC", "FC", FLOATS, 5)
layer("FC clipped", "FC", FLOATS, 5, clip_param=[-1, None], transposed=True, params_to_metrics=True)
layer("FC split", "FC", FLOATS, 5, max_fc_size=17, weight_reg=regularizer.L2Norm(0.5))
layer("FC axis", "FC", IMAGE, 5, axis=2, uniform_weight_init_scale_numerator=2.0)
layer("FCWithBootstrap", "FCWithBootstrap", FLOATS, 5, 2, clip_param=[-1, 1])
layer("FCWithoutBias", "FCWithoutBias", FLOATS, 5)
layer("LayerNormalization", "LayerNormalization", FLOATS)
layer("LayerNormalization plain", "LayerNormalization", FLOATS, use_layer_norm_op=False, scale_init_value=0.5)
layer("LabelSmooth", "LabelSmooth", Scalar(np.int32), [[0.75, 0.25], [0.5, 0.5]])
layer("LabelSmooth binary", "LabelSmooth", Scalar(np.int32), [0.25, 0.75])
layer("LastNWindowCollector", "LastNWindowCollector", FLOATS, 3)
layer("MapToRange", "MapToRange", Scalar(np.int32), 10)
layer("MergeIdLists", "MergeIdLists", Struct(("a", IDS.clone_schema()), ("b", IDS.clone_schema())))
EMBEDDINGS = Scalar((np.float32, (2, 4)))
layer("PairwiseSimilarity", "PairwiseSimilarity", Struct(("all_embeddings", EMBEDDINGS)), 4)
layer(
    "PairwiseSimilarity cosine",
    "PairwiseSimilarity",
    Struct(
        ("x_embeddings", EMBEDDINGS.clone_schema()),
        ("y_embeddings", EMBEDDINGS.clone_schema()),
        ("indices_to_gather", Scalar((np.int32, (2,)))),
    ),
    2,
    pairwise_similarity_func="cosine_similarity",
)
layer("RandomFourierFeatures", "RandomFourierFeatures", FLOATS, 5, 2.0)
layer("SemiRandomFeatures", "SemiRandomFeatures", FLOATS, 5, s=1)
layer("ReservoirSampling", "ReservoirSampling", Struct(("data", FLOATS.clone_schema())), 3)
layer(
    "ReservoirSampling ids",
    "ReservoirSampling",
    Struct(("data", FLOATS.clone_schema()), ("object_id", Scalar(np.int64))),
    3,
)
layer(
    "SamplingTrain",
    "SamplingTrain",
    Struct(
        ("input", FLOATS.clone_schema()),
        ("indices", Scalar((np.int32, (2,)))),
        ("sampling_prob", Scalar((np.float32, (2,)))),
    ),
    "FC",
    4,
)
layer("SparseDropoutWithReplacement", "SparseDropoutWithReplacement", IDS, 0.25, 0.0, 0.5, -1)
layer("SparseFeatureHash", "SparseFeatureHash", IDS)
layer("SparseFeatureHash mod", "SparseFeatureHash", SCORES, modulo=9, use_hashing=False)
layer("SparseFeatureHash divided", "SparseFeatureHash", IDS, use_hashing=False, use_divide_mod=True, divisor=3)
layer("Split", "Split", FLOATS, num_splits=2)
layer("Split sizes", "Split", FLOATS, split=[3, 5])
layer("UniformSampling", "UniformSampling", Scalar(np.int32), 5, 9)
layer(
    "GatherRecord",
    "GatherRecord",
    Struct(
        ("indices", Scalar(np.int32)), ("record", Struct(("s", FLOATS.clone_schema()), ("l", List(List(np.int64)))))
    ),
)
layer("Functional", "Softsign", FLOATS, 1)
layer("Functional named", "TopK", FLOATS, ["values", "indices"], output_dtypes=[np.float32, np.int64], k=2)
layer("FunctionalLayer", "FunctionalLayerConcat", TWO, 2, axis=1, output_dtypes=np.float32)

for reducer in ("Sum", "WeightedMean", "Sqrt", "Max", "None"):
    layer("SparseLookup ids " + reducer, "SparseLookup", IDS, 8, reducer)
for reducer in ("Mean", "WeightedSum", "PositionWeighted", "None"):
    layer("SparseLookup scores " + reducer, "SparseLookup", SCORES, [8], reducer)
layer(
    "SparseLookup half",
    "SparseLookup",
    SCORES,
    8,
    "RecencyWeighted",
    weight_optim=AdagradOptimizer(0.5, engine="SIMD_Q_FP16"),
)
layer("SparseLookup external", "SparseLookup", SCORES, 8, "Sum", use_external_weights=True)
layer(
    "SparseLookup evicted",
    "SparseLookup",
    schema.ListWithEvicted(Scalar(np.int64, metadata=Metadata(categorical_limit=50))),
    8,
    "Sum",
)

for version in ("fp16", "uint8rowwise", "fused_uint8rowwise", "fused_uint4rowwise"):
    for reducer in ("Sum", "WeightedSum", "Max", "None"):

        @program(f"SparseLookup stored as {version} {reducer}")
        def _(version=version, reducer=reducer):
            model, x = new(SCORES if reducer == "WeightedSum" else IDS)
            output = model.SparseLookup(x, 8, reducer)
            model.output_schema = Struct(("output", output))
            with arg_scope(get_sparse_lookup_predictor_version, version=version, min_blob_size_4bits=1):
                return net(layer_model_instantiator.generate_predict_net(model).Proto())


@program("FC stored as fp16")
def _():
    model, x = new(FLOATS)
    model.output_schema = Struct(("output", model.FC(x, 5)))
    with arg_scope(get_fc_predictor_version, fc_version="fp16"):
        return net(layer_model_instantiator.generate_predict_net(model).Proto())


@program("FeatureSparseToDense")
def _():
    kinds = {
        "FLOAT": schema.Map(np.int32, np.float32),
        "ID_LIST": schema.Map(np.int32, List(np.int64)),
        "ID_SCORE_LIST": schema.Map(np.int32, Map(np.int64, np.float32)),
        "EMBEDDING": schema.Map(np.int32, List(np.float32)),
    }
    model, x = new(Struct(*((kind.lower(), field) for kind, field in kinds.items())))
    specs = [(k.lower(), FeatureSpec(feature_type=k, feature_names=["a", "b"], feature_ids=[3, 5])) for k in kinds]
    output = model.FeatureSparseToDense(x, specs, default_dense_value=float("nan"))
    (made,) = model.layers
    return nets(model, output) + [repr(made.get_metadata()), repr(sorted(made.get_accessed_features()))]


@program("SelectRecordByContext")
def _():
    contexts = (InstantiationContext.TRAINING, InstantiationContext.PREDICTION)
    model, x = new(Struct(*((context, FLOATS.clone_schema()) for context in contexts)))
    default = InstantiationContext.PREDICTION
    return nets(model, model.SelectRecordByContext(x, default_output_record_field=default))


@program("a model")
def _():
    model, x = new(FLOATS)
    model.store_seed(3)
    with Tags([Tags.PREFER_GPU]):
        hidden = model.FC(x, 4, output_to_metrics=True, bias_optim=model.NoOptim)
    hidden = model.Relu(hidden, 1)
    hidden = model.LayerNormalization(hidden)
    logit = model.FC(hidden, 1, weight_reg=regularizer.L1Norm(0.5), weight_optim=AdagradOptimizer(0.25))
    with Tags(Tags.TRAIN_ONLY):
        loss = model.BatchLRLoss(Struct(("label", model.trainer_extra_schema.label), ("logit", logit)))
    model.add_loss(loss)
    model.add_loss(loss, "unnamed")
    model.add_post_grad_net_modifiers(GradientClipping("by_value"))
    model.output_schema = Struct(("logit", logit))
    return nets(model, logit) + [
        repr(model.loss.field_names()),
        repr(model.metrics_schema.field_names()),
        repr(sorted((str(k), type(v).__name__) for k, v in model.param_to_optim.items())),
    ]


if __name__ == "__main__":
    record(PROGRAMS)
