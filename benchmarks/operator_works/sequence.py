"""Recurrent networks and their decoders, quantized layers, and images read from a database."""

from __future__ import annotations

import numpy as np
from works import work

from caffe2.python import model_helper, workspace


def quantize(w, name, x, scale=0.05, zero=128):
    q = np.clip(np.round(x / scale) + zero, 0, 255).astype(np.uint8)
    w.prepare("Int8GivenTensorFill", "", name, shape=q.shape, values=q.tobytes(), Y_scale=scale, Y_zero_point=zero)


def int8(kind, x, weight, **arguments):
    @work(kind + arguments.pop("suffix", ""))
    def _(w):
        quantize(w, "X", w.floats(*x))
        quantize(w, "W", w.floats(*weight))
        bias = w.whole(1000, weight[0], dtype=np.int32)
        w.prepare("Int8GivenIntTensorFill", "", "B", shape=bias.shape, values=bias, Y_scale=0.0025, Y_zero_point=0)
        w.add(kind, "X W B", "Y", Y_scale=1.0, Y_zero_point=128, order="NHWC", **arguments)


int8("Int8Conv", (1, 56, 56, 64), (64, 3, 3, 64), kernel=3, pad=1)
int8("Int8Conv", (1, 56, 56, 64), (256, 1, 1, 64), kernel=1, suffix="-1x1")
int8("Int8FC", (64, 1024), (1024, 1024))


def recurrent(name, cell, forward_only):
    @work(name + ("" if forward_only else "-training"))
    def _(w):
        t, n, h = 50, 16, 256
        model = model_helper.ModelHelper("recurrent")
        w.feed(x=w.floats(t, n, h), n=np.full(n, t, np.int32))
        states = ["h0", "c0"][: 2 if name == "LSTM" else 1]
        for state in states:
            w.feed(**{state: np.zeros((1, n, h), np.float32)})
        output = cell(model, "x", "n", states, h, h, "cell", forward_only=forward_only)[0]
        if not forward_only:
            loss = model.net.AveragedLoss(model.net.SumElements([output], ["sum"]), ["loss"])
            model.AddGradientOperators([loss])
        workspace.RunNetOnce(model.param_init_net)
        w.net = model.net


def lstm(*given, **options):
    from caffe2.python import rnn_cell

    return rnn_cell.LSTM(*given, **options)


def gru(*given, **options):
    from caffe2.python import gru_cell

    return gru_cell.GRU(*given, **options)


for _name, _cell in (("LSTM", lstm), ("GRU", gru)):
    recurrent(_name, _cell, True)
    recurrent(_name, _cell, False)


@work("CTCBeamSearchDecoder")
def _(w):
    x = np.exp(3 * w.floats(100, 8, 29))
    w.feed(X=(x / x.sum(2, keepdims=True)).astype(np.float32), L=np.full(8, 100, np.int32))
    w.add("CTCBeamSearchDecoder", "X L", "n v p", beam_width=10, num_candidates=1)


@work("CTCGreedyDecoder")
def _(w):
    w.feed(X=w.floats(100, 8, 29), L=np.full(8, 100, np.int32))
    w.add("CTCGreedyDecoder", "X L", "n v")


@work("ImageInput")
def _(w):
    if "ImageInput" not in workspace.RegisteredOperators():
        raise RuntimeError("no operator ImageInput here")
    import io
    import shutil
    import tempfile

    import lmdb
    from PIL import Image

    from caffe2.proto import caffe2_pb2

    folder = tempfile.mkdtemp()
    with lmdb.open(folder, map_size=1 << 30) as env, env.begin(write=True) as put:
        for k in range(64):
            small = Image.fromarray(w.whole(256, 16, 16, 3, dtype=np.uint8))
            data = io.BytesIO()
            small.resize((500, 375), Image.BICUBIC).save(data, "JPEG", quality=90)
            record = caffe2_pb2.TensorProtos()
            record.protos.add(data_type=caffe2_pb2.TensorProto.STRING, string_data=[data.getvalue()], dims=[1])
            record.protos.add(data_type=caffe2_pb2.TensorProto.INT32, int32_data=[k])
            put.put(b"%08d" % k, record.SerializeToString())
    w.prepare("CreateDB", "", "db", db=folder, db_type="lmdb")
    w.add(
        "ImageInput",
        "db",
        "X L",
        batch_size=32,
        scale=256,
        crop=224,
        mirror=1,
        mean=128.0,
        std=128.0,
        use_caffe_datum=0,
    )
    shutil.rmtree(folder, ignore_errors=True)
