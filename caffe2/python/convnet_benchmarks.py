"""The time that classic networks take, as in Chintala's convnet-benchmarks of 2014.

python -m caffe2.python.convnet_benchmarks --model AlexNet --batch_size 16 --cpu
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from caffe2.python import brew, core, model_helper, workspace

XAVIER = ("XavierFill", {})
ZERO = ("ConstantFill", {})


def _model(name: str, order: str, cudnn_ws: int | None) -> model_helper.ModelHelper:
    settings = {"order": order, "use_cudnn": True, "cudnn_exhaustive_search": True}
    if cudnn_ws:
        settings["ws_nbytes_limit"] = cudnn_ws
    return model_helper.ModelHelper(name=name, arg_scope=settings)


def _conv(
    model: model_helper.ModelHelper, blob: Any, name: Any, dim_in: int, dim_out: int, kernel: int, **kwargs: Any
) -> core.BlobReference:
    """A convolution with its activation, in place."""
    brew.conv(model, blob, name, dim_in, dim_out, kernel, XAVIER, ZERO, **kwargs)
    return brew.relu(model, name, name)


def _classifier(model: model_helper.ModelHelper, blob: Any, layers: list[tuple[str, int, int]]) -> None:
    """Fully connected layers, with activations between them, and the loss."""
    for name, dim_in, dim_out in layers:
        blob = brew.fc(model, blob, name, dim_in, dim_out, XAVIER, ZERO)
        if name != layers[-1][0]:
            blob = brew.relu(model, blob, name)
    prediction = brew.softmax(model, blob, "pred")
    model.net.AveragedLoss(model.net.LabelCrossEntropy([prediction, "label"], "xent"), "loss")


def MLP(order: str, cudnn_ws: int | None) -> tuple[model_helper.ModelHelper, int]:
    """Fully connected layers, 20 deep and 3 wide, and the size of the input."""
    model = model_helper.ModelHelper(name="MLP")
    size, depth, width = 256, 20, 3
    fills = {"weight_init": XAVIER, "bias_init": XAVIER}
    for i in range(depth):
        for j in range(width):
            blob = f"fc_{i}_{j}" if i > 0 else "data"
            brew.fc(model, blob, f"fc_{i + 1}_{j}", dim_in=size, dim_out=size, **fills)
    brew.sum(model, [f"fc_{depth}_{j}" for j in range(width)], ["sum"])
    brew.fc(model, "sum", "last", dim_in=size, dim_out=1000, **fills)
    model.net.AveragedLoss(model.net.LabelCrossEntropy(["last", "label"], "xent"), "loss")
    return model, size


def AlexNet(order: str, cudnn_ws: int | None) -> tuple[model_helper.ModelHelper, int]:
    """AlexNet (Krizhevsky, 2014), and the size of its images."""
    model = _model("alexnet", order, cudnn_ws)
    blob = _conv(model, "data", "conv1", 3, 64, 11, stride=4, pad=2)
    blob = brew.max_pool(model, blob, "pool1", kernel=3, stride=2)
    blob = _conv(model, blob, "conv2", 64, 192, 5, pad=2)
    blob = brew.max_pool(model, blob, "pool2", kernel=3, stride=2)
    blob = _conv(model, blob, "conv3", 192, 384, 3, pad=1)
    blob = _conv(model, blob, "conv4", 384, 256, 3, pad=1)
    blob = _conv(model, blob, "conv5", 256, 256, 3, pad=1)
    blob = brew.max_pool(model, blob, "pool5", kernel=3, stride=2)
    _classifier(model, blob, [("fc6", 256 * 6 * 6, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 1000)])
    return model, 224


def OverFeat(order: str, cudnn_ws: int | None) -> tuple[model_helper.ModelHelper, int]:
    """OverFeat (Sermanet et al., 2013), and the size of its images."""
    model = _model("overfeat", order, cudnn_ws)
    blob = _conv(model, "data", "conv1", 3, 96, 11, stride=4)
    blob = brew.max_pool(model, blob, "pool1", kernel=2, stride=2)
    blob = _conv(model, blob, "conv2", 96, 256, 5)
    blob = brew.max_pool(model, blob, "pool2", kernel=2, stride=2)
    blob = _conv(model, blob, "conv3", 256, 512, 3, pad=1)
    blob = _conv(model, blob, "conv4", 512, 1024, 3, pad=1)
    blob = _conv(model, blob, "conv5", 1024, 1024, 3, pad=1)
    blob = brew.max_pool(model, blob, "pool5", kernel=2, stride=2)
    _classifier(model, blob, [("fc6", 1024 * 6 * 6, 3072), ("fc7", 3072, 4096), ("fc8", 4096, 1000)])
    return model, 231


def VGGA(order: str, cudnn_ws: int | None) -> tuple[model_helper.ModelHelper, int]:
    """VGG's model A (Simonyan and Zisserman, 2014), and the size of its images."""
    model = _model("vgga", order, cudnn_ws)
    blob, dim_in = "data", 3
    for i, dim_out in enumerate((64, 128, 256, 256, 512, 512, 512, 512), 1):
        blob = _conv(model, blob, f"conv{i}", dim_in, dim_out, 3, pad=1)
        if i in (1, 2, 4, 6, 8):
            blob = brew.max_pool(model, blob, f"pool{i}", kernel=2, stride=2)
        dim_in = dim_out
    _classifier(model, blob, [("fcix", 512 * 7 * 7, 4096), ("fcx", 4096, 4096), ("fcxi", 4096, 1000)])
    return model, 231


def _InceptionModule(
    model: model_helper.ModelHelper,
    input_blob: Any,
    input_depth: int,
    output_name: str,
    conv1_depth: int,
    conv3_depths: list[int],
    conv5_depths: list[int],
    pool_depth: int,
) -> core.BlobReference:
    """Convolutions 1x1, 3x3 and 5x5 and a pooling, side by side."""

    def conv(blob: Any, branch: str, dim_in: int, dim_out: int, kernel: int, **kwargs: Any) -> core.BlobReference:
        made = brew.conv(model, blob, f"{output_name}:{branch}", dim_in, dim_out, kernel, XAVIER, ZERO, **kwargs)
        return brew.relu(model, made, made)

    conv1 = conv(input_blob, "conv1", input_depth, conv1_depth, 1)
    reduced = conv(input_blob, "conv3_reduce", input_depth, conv3_depths[0], 1)
    conv3 = conv(reduced, "conv3", *conv3_depths, 3, pad=1)
    reduced = conv(input_blob, "conv5_reduce", input_depth, conv5_depths[0], 1)
    conv5 = conv(reduced, "conv5", *conv5_depths, 5, pad=2)
    pool = brew.max_pool(model, input_blob, output_name + ":pool", kernel=3, stride=1, pad=1)
    projected = conv(pool, "pool_proj", input_depth, pool_depth, 1)
    return brew.concat(model, [conv1, conv3, conv5, projected], output_name)


_INCEPTIONS: list[tuple[int, str, int, list[int], list[int], int]] = [
    (192, "inc3", 64, [96, 128], [16, 32], 32),
    (256, "inc4", 128, [128, 192], [32, 96], 64),
    (480, "inc5", 192, [96, 208], [16, 48], 64),
    (512, "inc6", 160, [112, 224], [24, 64], 64),
    (512, "inc7", 128, [128, 256], [24, 64], 64),
    (512, "inc8", 112, [144, 288], [32, 64], 64),
    (528, "inc9", 256, [160, 320], [32, 128], 128),
    (832, "inc10", 256, [160, 320], [32, 128], 128),
    (832, "inc11", 384, [192, 384], [48, 128], 128),
]
_POOLS = {"inc4": "pool5", "inc9": "pool9"}


def Inception(order: str, cudnn_ws: int | None) -> tuple[model_helper.ModelHelper, int]:
    """GoogLeNet (Szegedy et al., 2014), and the size of its images."""
    model = _model("inception", order, cudnn_ws)
    blob = _conv(model, "data", "conv1", 3, 64, 7, stride=2, pad=3)
    blob = brew.max_pool(model, blob, "pool1", kernel=3, stride=2, pad=1)
    blob = _conv(model, blob, "conv2a", 64, 64, 1)
    blob = _conv(model, blob, "conv2", 64, 192, 3, pad=1)
    blob = brew.max_pool(model, blob, "pool2", kernel=3, stride=2, pad=1)
    for depth, name, *depths in _INCEPTIONS:
        blob = _InceptionModule(model, blob, depth, name, *depths)
        if name in _POOLS:
            blob = brew.max_pool(model, blob, _POOLS[name], kernel=3, stride=2, pad=1)
    blob = brew.average_pool(model, blob, "pool11", kernel=7, stride=1)
    _classifier(model, blob, [("fc", 1024, 1000)])
    return model, 224


def AddParameterUpdate(model: model_helper.ModelHelper) -> None:
    """Add the update of all parameters by gradient descent, with a rate that changes nothing much."""
    count = brew.iter(model, "iter")
    rate = model.net.LearningRate(count, "LR", base_lr=-1e-8, policy="step", stepsize=10000, gamma=0.999)
    one = model.param_init_net.ConstantFill([], "ONE", shape=[1], value=1.0)
    for param in model.params:
        model.net.WeightedSum([param, one, model.param_to_grad[param], rate], param)


def Benchmark(model_gen: Callable[[str, int | None], tuple[Any, int]], arg: argparse.Namespace) -> None:
    """Run a model on random images as the arguments say, and print the time that it takes."""
    model, size = model_gen(arg.order, arg.cudnn_ws)
    model.Proto().type = arg.net_type
    model.Proto().num_workers = arg.num_workers
    image = [3, size, size] if arg.order == "NCHW" else [size, size, 3]
    shape = [arg.batch_size, *([size] if arg.model == "MLP" else image)]
    model.param_init_net.GaussianFill([], "data", shape=shape, mean=0.0, std=1.0)
    model.param_init_net.UniformIntFill([], "label", shape=[arg.batch_size], min=0, max=999)
    print(f"{arg.model}: running {'forward only' if arg.forward_only else 'forward-backward'}.")
    if not arg.forward_only:
        model.AddGradientOperators(["loss"])
        AddParameterUpdate(model)
    if not arg.cpu:
        model.RunAllOnGPU()
    if arg.engine:
        for op in model.net.Proto().op:
            op.engine = arg.engine
    if arg.dump_model:
        _dump(f"{arg.model}_init_batch_{arg.batch_size}.pbtxt", model.InitProto())
        _dump(f"{arg.model}.pbtxt", model.Proto())
    workspace.RunNetOnce(model.param_init_net)
    workspace.CreateNet(model.net)
    workspace.BenchmarkNet(model.Proto().name, arg.warmup_iterations, arg.iterations, arg.layer_wise_benchmark)


def _dump(path: str, net: Any) -> None:
    with open(path, "w") as file:
        file.write(str(net))


def GetArgumentParser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description="Caffe2 benchmark.")
    add = parser.add_argument
    add("--batch_size", type=int, default=128, help="The batch size.")
    add("--model", type=str, help=f"The model to benchmark: {', '.join(_MODELS)}.")
    add("--order", type=str, default="NCHW", help="The order to evaluate.")
    add("--cudnn_ws", type=int, help="The cudnn workspace size.")
    add("--iterations", type=int, default=10, help="Number of iterations to run the network.")
    add("--warmup_iterations", type=int, default=10, help="Number of warm-up iterations before benchmarking.")
    add("--forward_only", action="store_true", help="If set, only run the forward pass.")
    add("--layer_wise_benchmark", action="store_true", help="If set, time each layer as well.")
    add("--cpu", action="store_true", help="If set, run on the CPU instead of a GPU.")
    add("--engine", type=str, default="", help="If set, the engine of every operator.")
    add("--dump_model", action="store_true", help="If set, write the nets as text to files here.")
    add("--net_type", type=str, default="dag", help="How the net runs.")
    add("--num_workers", type=int, default=2, help="The number of threads, for a net that runs on several.")
    add("--use-nvtx", default=False, action="store_true", help="Mark ranges for NVIDIA's profilers.")
    add("--htrace_span_log_path", type=str, help="Accepted for programs that pass it; nothing is written.")
    return parser


_MODELS = {model.__name__: model for model in (AlexNet, OverFeat, VGGA, Inception, MLP)}


def _main() -> None:
    args, extra_args = GetArgumentParser().parse_known_args()
    if not args.batch_size or args.model not in _MODELS or not args.order:
        GetArgumentParser().print_help()
        return
    flags = ["--caffe2_use_nvtx"] if args.use_nvtx else []
    workspace.GlobalInit(["caffe2", "--caffe2_log_level=0", *extra_args, *flags])
    Benchmark(_MODELS[args.model], args)


if __name__ == "__main__":
    _main()
