"""Programs that build models by brew, and train them."""

from caffe2.proto import caffe2_pb2
from caffe2.python import brew, cnn, core, optimizer, regularizer
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling import initializers, parameter_sharing
from caffe2.python.modeling.compute_histogram_for_blobs import ComputeHistogramForBlobs
from caffe2.python.modeling.compute_norm_for_blobs import ComputeNormForBlobs
from caffe2.python.modeling.compute_statistics_for_blobs import ComputeStatisticsForBlobs
from caffe2.python.modeling.get_entry_from_blobs import GetEntryFromBlobs
from caffe2.python.modeling.gradient_clipping import GradientClipping
from caffe2.python.models import resnet, shufflenet
from caffe2.python.optimizer_context import UseOptimizer
from tests.python.recorded.text import model, net, record

FP16 = initializers.PseudoFP16Initializer
GPU = core.DeviceOption(caffe2_pb2.CUDA, 1)

PROGRAMS = {}


def program(name):
    def add(f):
        PROGRAMS[name] = f

    return add


def built(name, helper, *args, **kwargs):
    def build():
        m = ModelHelper("m", init_params=kwargs.pop("init_params", True), arg_scope=kwargs.pop("arg_scope", None))
        getattr(brew, helper)(m, *args, **kwargs)
        with core.NameScope("scope"):
            getattr(brew, helper)(m, *args, **kwargs)
        return model(m)

    PROGRAMS["brew." + name] = build


NHWC = {"order": "NHWC", "use_cudnn": False}
EXHAUSTIVE = {"cudnn_exhaustive_search": True, "ws_nbytes_limit": 100}

built("fc", "fc", "x", "y", 3, 4)
built("fc external", "fc", "x", "y", 3, 4, init_params=False)
built("fc filled", "fc", "x", "y", 3, 4, ("ConstantFill", {"value": 2.0}), ("GaussianFill", {}), axis=2)
built("fc frozen", "fc", "x", "y", 3, 4, freeze_bias=True, float16_compute=True, enable_tensor_core=True)
built("fc half", "fc", "x", None, 3, 4, WeightInitializer=FP16, BiasInitializer=FP16)
built("conv", "conv", "x", "y", 4, 8, 3, stride=2, pad=1)
built("conv exhaustive", "conv", "x", "y", 4, 8, 3, arg_scope=EXHAUSTIVE)
built("conv group", "conv", "x", "y", 4, 8, [3, 5], group=2, no_bias=True, arg_scope=NHWC)
built("conv_nd", "conv_nd", "x", "y", 4, 8, [3, 4, 5], strides=[1, 2, 1])
built("conv_transpose", "conv_transpose", "x", None, 4, 8, 3, stride=2)
built("conv_transpose external", "conv_transpose", "x", "y", 4, 8, 3, init_params=False, arg_scope=NHWC)
built("group_conv_deprecated", "group_conv_deprecated", "x", "y", 4, 8, 3, group=2)
built("dropout", "dropout", "x", "y", is_test=0, ratio=0.25)
built("elementwise_linear", "elementwise_linear", "x", "y", 4)
built("prelu", "prelu", "x", "y", num_channels=3)
built("relu", "relu", "x", "y")
built("tanh", "tanh", "x", "y", arg_scope=NHWC)
built("lrn", "lrn", "x", "y", size=5)
built("lrn gpu", "lrn", "x", "y", size=5, device_option=GPU)
built("softmax", "softmax", "x")
built("transpose", "transpose", "x", "y", axes=[1, 0])
built("max_pool", "max_pool", "x", "y", kernel=2, stride=3)
built("average_pool", "average_pool", "x", "y", kernel=2, arg_scope=NHWC)
built("max_pool_with_index", "max_pool_with_index", "x", "y", kernel=2)
built("sum", "sum", ["x", "z"], "y")
built("batch_mat_mul", "batch_mat_mul", ["x", "z"], "y", enable_tensor_core=True, trans_a=1)
built("concat", "concat", ["x", "z"], "y")
built("concat axis", "concat", ["x", "z"], "y", axis=1)
built("instance_norm", "instance_norm", "x", None, 4, is_test=1)
built("spatial_bn", "spatial_bn", "x", "y", 4)
built("spatial_bn test", "spatial_bn", "x", None, 4, is_test=True, init_scale=2.0, init_bias=3.0)
built("spatial_gn", "spatial_gn", "x", "y", 4, group=2)
built("layer_norm", "layer_norm", "x", "y", [4, 5], axis=2, initial_scale=2.0)
built("moments", "moments_with_running_stats", "x", "y", 4)
built("iter", "iter", "it", device_option=GPU)
built("db_input", "db_input", ["a", "b"], 10, "path", "lmdb")


@program("argument scopes")
def _():
    m = ModelHelper("m")
    with brew.arg_scope([brew.fc, brew.conv], weight_init=("ConstantFill", {"value": 3.0}), pad=2):
        brew.fc(m, "a", "b", 1, 2)
        with brew.arg_scope(brew.conv, pad=1, stride=4, order="NHWC"):
            brew.conv(m, "a", "c", 1, 2, 3, stride=7)
        brew.conv(m, "a", "d", 1, 2, 3)
    brew.conv(m, "a", "e", 1, 2, 3)
    return model(m)


@program("parameter sharing")
def _():
    m = ModelHelper("m")
    with core.NameScope("g"), parameter_sharing.ParameterSharing({"b/shared": "b", "b": "a"}):
        for s in ("a", "b", "b/shared", "b/unshared", "c", "b/shared/d"):
            with core.NameScope(s):
                brew.fc(m, "x", "y", 2, 3)
    return model(m)


@program("cnn")
def _():
    m = cnn.CNNModelHelper(ws_nbytes_limit=7, cudnn_exhaustive_search=True)
    m.Conv("x", "conv", 4, 8, 3, m.XavierInit, m.ConstantInit(2.0), pad=1)
    m.SpatialBN("conv", "bn", 8, is_test=0)
    m.Relu("bn", "bn")
    m.MaxPool("bn", "pool", kernel=2)
    m.Dropout("pool", "drop", is_test=0)
    m.FC("drop", "fc", 8, 3, m.MSRAInit, m.ZeroInit)
    m.Softmax("fc", "softmax")
    return model(m)


def trained(dense, sparse):
    m, losses = ModelHelper("m"), []
    if dense:
        brew.fc(m, "data", "h", 4, 3)
        m.SoftmaxWithLoss(["h", "label"], ["softmax", "loss"])
        losses.append("loss")
    if sparse:
        table = m.param_init_net.UniformFill([], "table", shape=[10, 4])
        m.AddParameter(table)
        m.net.SumElements(m.net.Gather([table, "indices"], "rows"), "loss2")
        losses.append("loss2")
    m.AddGradientOperators(losses)
    return m


def optimized(name, build, dense=True, sparse=True):
    def run():
        m = trained(dense, sparse)
        aux = build(m).get_auxiliary_parameters()
        return model(m) + ["local: " + " ".join(map(str, aux.local)), "shared: " + " ".join(map(str, aux.shared))]

    PROGRAMS["optimizer." + name] = run


opt = optimizer
optimized("sgd", lambda m: opt.build_sgd(m, 0.1, policy="step", stepsize=1, gamma=0.9))
optimized("momentum", lambda m: opt.build_sgd(m, 0.1, momentum=0.9, sparse_dedup_aggregator="mean"))
optimized("lars", lambda m: opt.build_sgd(m, 0.1, lars=0.5))
optimized("clipped", lambda m: opt.build_sgd(m, 0.1, max_gradient_norm=1.0, allow_lr_injection=True))
optimized("adagrad", lambda m: opt.build_adagrad(m, 0.1, weight_decay=0.25, output_effective_lr_and_update=True))
optimized("adagrad by row", lambda m: opt.build_adagrad(m, 0.1, rowWise=True, counter_halflife=5), dense=False)
optimized("adagrad half", lambda m: opt.build_adagrad(m, 0.1, engine="SIMD_Q_FP16"), sparse=False)
optimized("wngrad", lambda m: opt.build_wngrad(m, 0.1, output_effective_lr=True))
optimized("storm", lambda m: opt.build_storm(m, 0.1))
optimized("adadelta", lambda m: opt.build_adadelta(m, 0.1))
optimized("ftrl", lambda m: opt.build_ftrl(m, engine=None, alpha=1.0, lambda1=0.5))
optimized("gftrl", lambda m: opt.build_gftrl(m, alpha=1.0), sparse=False)
optimized("adam", lambda m: opt.build_adam(m, 0.1, use_lr_adaption=True, iter_val=3))
optimized("adam by row", lambda m: opt.build_adam(m, 0.1, rowWise=True), dense=False)
optimized("yellowfin", lambda m: opt.build_yellowfin(m), sparse=False)
optimized("rmsprop", lambda m: opt.build_rms_prop(m, 0.1, momentum=0.25), sparse=False)


@program("optimizer.weight decay, by tag, on a GPU")
def _():
    m = ModelHelper("m")
    with core.DeviceScope(GPU):
        with UseOptimizer({"WEIGHT": opt.AdamOptimizer(0.25)}):
            brew.fc(m, "data", "h", 4, 3)
        m.SoftmaxWithLoss(["h", "label"], ["softmax", "loss"])
        m.AddGradientOperators(["loss"])
    opt.add_weight_decay(m, 0.125)
    opt.build_sgd(m, 0.5, max_gradient_norm=2.0)
    return model(m)


@program("optimizer.half precision")
def _():
    lines = []
    for build in (opt.build_multi_precision_sgd, opt.build_fp16_sgd):
        optimizer._optimizer_instance_count.clear()
        m = ModelHelper("m")
        brew.fc(m, "data", "h", 4, 5, WeightInitializer=FP16, BiasInitializer=FP16)
        brew.spatial_bn(m, "h", "spatbn", 5, is_test=0)
        m.SoftmaxWithLoss(["spatbn", "label"], ["softmax", "loss"])
        m.AddGradientOperators(["loss"])
        build(m, 0.5, momentum=0.25)
        lines += model(m)
    return lines


def regularized(name, make, by="on_loss", sparse=False):
    def run():
        grad = core.GradientSlice(core.BlobReference("indices"), core.BlobReference("values")) if sparse else None
        n, init = core.Net("n"), core.Net("i")
        with core.NameScope("scope"):
            out = [str(make()(n, init, core.BlobReference("p"), grad, by=by)) for _ in range(2)]
        return net(init.Proto()) + net(n.Proto()) + out

    PROGRAMS["regularizer." + name] = run


reg = regularizer
AFTER = "after_optimizer"
regularized("L1Norm", lambda: reg.L1Norm(0.5))
regularized("L2Norm", lambda: reg.L2Norm(0.5))
regularized("LpNorm", lambda: reg.LpNorm(0.5))
regularized("L0ApproxNorm", lambda: reg.L0ApproxNorm(0.5, alpha=0.25, budget=2))
regularized("L1NormTrimmed", lambda: reg.L1NormTrimmed(0.5, 3))
regularized("ElasticNet", lambda: reg.ElasticNet(0.5, 0.25))
regularized("ElasticNetL1NormTrimmed", lambda: reg.ElasticNetL1NormTrimmed(0.5, 0.25, 3))
regularized("GroupL1Norm", lambda: reg.GroupL1Norm(0.5, [4, 9], 0.5))
regularized("LogBarrier", lambda: reg.LogBarrier(0.5))
regularized("LogBarrier after", lambda: reg.LogBarrier(0.5), AFTER)
regularized("BoundedGradientProjection", lambda: reg.BoundedGradientProjection(0.25, 0.5), AFTER, sparse=True)
regularized("MaxNorm", lambda: reg.MaxNorm(2.0), AFTER, sparse=True)
regularized("ConstantNorm", lambda: reg.ConstantNorm(2.0), AFTER, sparse=True)
regularized("SparseL1Norm", lambda: reg.SparseL1Norm(0.5), AFTER, sparse=True)


def modified(name, modifier, scope=None):
    def run():
        lines = []
        for reported in (False, True):
            m = ModelHelper("m")
            brew.fc(m, "data", "h", 4, 3)
            m.SoftmaxWithLoss(["h", "label"], ["softmax", "loss"])
            grads = m.AddGradientOperators(["loss"])
            modifier(m.net, grad_map=dict(grads), blob_to_device={"h_w": GPU}, modify_output_record=reported)
            output = m.net.output_record()
            lines += net(m.net.Proto()) + ["record: " + " ".join(output.field_names() if output else [])]
        return lines

    PROGRAMS["modeling." + name] = run


BLOBS = ["h_w", "h_b"]
modified("histogram", ComputeHistogramForBlobs(BLOBS, 10, 5, 0.25, 0.5, accumulate=True))
modified("norm", ComputeNormForBlobs(BLOBS, 3))
modified("norm of a row", ComputeNormForBlobs(["h_w"], 0, 1, True, 2))
modified("statistics", ComputeStatisticsForBlobs(BLOBS, 3))
modified("entry", GetEntryFromBlobs(["h_w"], 4, 1, 2))
modified("row", GetEntryFromBlobs(["h_w"], 4, 1, -1))
modified("clip by norm", GradientClipping("by_norm", use_parameter_norm=True, compute_norm_ratio=True))
modified("clip by L1 norm", GradientClipping("by_norm", "l1_norm", blobs_to_include=["h_w"]))
modified("clip by value", GradientClipping("by_value", clip_max=2, clip_min=-3, blobs_to_exclude=["h_b"]))


def network(name, create, *args, **kwargs):
    def run():
        m = ModelHelper("m")
        create(m, "data", *args, **kwargs)
        return model(m)

    PROGRAMS["models." + name] = run


network("resnet50", resnet.create_resnet50, 3, 1000, label="label")
network("resnet50 test", resnet.create_resnet50, 3, 1000, is_test=True, no_loss=True, no_bias=1)
network("resnext101", resnet.create_resnext, 3, 1000, 101, 32, 4, label="label")
network("resnet18", resnet.create_resnext, 3, 10, 18, 1, 64)
network("resnet 32x32", resnet.create_resnet_32x32, 3, 3, 10)
network("shufflenet", shufflenet.create_shufflenet, 3, 10, "label")


@program("models.shufflenet for detection")
def _():
    m = ModelHelper("m")
    shufflenet.ShuffleNetV2Builder(m, "data", 3, 10, width="0.5x", detection=True).create()
    return model(m)


if __name__ == "__main__":
    record(PROGRAMS)
