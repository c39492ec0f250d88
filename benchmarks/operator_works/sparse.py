"""Embeddings, their optimizers, segments, and what picks and places rows."""

from __future__ import annotations

import numpy as np
from works import BAG, BAGS, ROWS, WIDTH, single, work


def bags(w):
    w.feed(I=w.whole(ROWS, BAGS * BAG), L=np.full(BAGS, BAG, np.int32))


@work("SparseLengthsSum")
def _(w):
    bags(w)
    w.feed(T=w.table())
    w.add("SparseLengthsSum", "T I L", "Y")


@work("SparseLengthsWeightedSum")
def _(w):
    bags(w)
    w.feed(T=w.table(), W=w.floats(BAGS * BAG))
    w.add("SparseLengthsWeightedSum", "T W I L", "Y")


@work("SparseLengthsMean")
def _(w):
    bags(w)
    w.feed(T=w.table())
    w.add("SparseLengthsMean", "T I L", "Y")


def fused(kind, convert):
    @work(kind)
    def _(w):
        bags(w)
        w.feed(F=w.table())
        w.prepare(convert, "F", "T")
        w.add(kind, "T I L", "Y")


fused("SparseLengthsSumFused8BitRowwise", "FloatToFused8BitRowwiseQuantized")
fused("SparseLengthsSumFused4BitRowwise", "FloatToFused4BitRowwiseQuantized")
fused("SparseLengthsSumFused2BitRowwise", "FloatToFused2BitRowwiseQuantized")


def convert(kind):
    single(kind, kind, lambda w: w.floats(BAGS * BAG, WIDTH))


convert("FloatToFused8BitRowwiseQuantized")
convert("FloatToFused4BitRowwiseQuantized")


def sparse_step(w, count=BAGS * BAG):
    lr = np.array([0.01], np.float32)
    w.feed(P=w.table(), I=w.whole(ROWS, count), G=w.floats(count, WIDTH), R=lr)


@work("SparseAdagrad")
def _(w):
    sparse_step(w)
    w.feed(M=np.ones((ROWS, WIDTH), np.float32))
    w.add("SparseAdagrad", "P M I G R", "P M", epsilon=1e-5)


@work("RowWiseSparseAdagrad")
def _(w):
    sparse_step(w)
    w.feed(M=np.ones(ROWS, np.float32))
    w.add("RowWiseSparseAdagrad", "P M I G R", "P M", epsilon=1e-5)


@work("SparseAdam")
def _(w):
    sparse_step(w)
    w.feed(M=np.zeros((ROWS, WIDTH), np.float32), V=np.ones((ROWS, WIDTH), np.float32), N=np.array([7], np.int64))
    w.add("SparseAdam", "P M V I G R N", "P M V", epsilon=1e-5)


@work("RowWiseSparseAdam")
def _(w):
    sparse_step(w)
    w.feed(M=np.zeros((ROWS, WIDTH), np.float32), V=np.ones(ROWS, np.float32), N=np.array([7], np.int64))
    w.add("RowWiseSparseAdam", "P M V I G R N", "P M V", epsilon=1e-5)


@work("SparseMomentumSGDUpdate")
def _(w):
    sparse_step(w)
    w.feed(M=np.zeros((ROWS, WIDTH), np.float32))
    w.add("SparseMomentumSGDUpdate", "G M R P I", "H M P", momentum=0.9)


@work("RowWiseSparseAdagradFusedWithSLSGrad")
def _(w):
    bags(w)
    w.feed(P=w.table(), M=np.ones(ROWS, np.float32), G=w.floats(BAGS, WIDTH), R=np.array([0.01], "f"))
    w.add("RowWiseSparseAdagradFusedWithSparseLengthsSumGradient", "P M I G R L", "P M", epsilon=1e-5)


@work("Adagrad")
def _(w):
    x = w.floats(1024, 1024)
    w.feed(P=x, M=np.ones_like(x), G=x, R=np.array([0.01], np.float32))
    w.add("Adagrad", "P M G R", "P M", epsilon=1e-5)


@work("Adam")
def _(w):
    x = w.floats(1024, 1024)
    w.feed(P=x, M=x, V=np.ones_like(x), G=x, R=np.array([0.01], np.float32), N=np.array([7], np.int64))
    w.add("Adam", "P M V G R N", "P M V", epsilon=1e-5)


@work("MomentumSGDUpdate")
def _(w):
    x = w.floats(1024, 1024)
    w.feed(P=x, M=x, G=x, R=np.array([0.01], np.float32))
    w.add("MomentumSGDUpdate", "G M R P", "G M P", momentum=0.9)


def rows(w):
    return w.floats(BAGS * BAG, WIDTH)


def ids(w):
    return np.repeat(np.arange(BAGS, dtype=np.int32), BAG)


def lengths(w):
    return np.full(BAGS, BAG, np.int32)


single("UnsortedSegmentSum", "UnsortedSegmentSum", lambda w: (rows(w), w.whole(BAGS, BAGS * BAG, dtype=np.int32)))
single("UnsortedSegmentMean", "UnsortedSegmentMean", lambda w: (rows(w), w.whole(BAGS, BAGS * BAG, dtype=np.int32)))
single("SortedSegmentSum", "SortedSegmentSum", lambda w: (rows(w), ids(w)))
single("SortedSegmentRangeSum", "SortedSegmentRangeSum", lambda w: (rows(w), ids(w)))
single("LengthsSum", "LengthsSum", lambda w: (rows(w), lengths(w)))
single("LengthsMean", "LengthsMean", lambda w: (rows(w), lengths(w)))
single("LengthsMax", "LengthsMax", lambda w: (rows(w), lengths(w)))
single(
    "LengthsSumGradient",
    "SparseLengthsIndicesInGradientSumGradient",
    lambda w: (w.floats(BAGS, WIDTH), lengths(w), w.whole(ROWS, BAGS * BAG)),
)
single("LengthsTopK", "LengthsTopK", lambda w: (w.floats(BAGS * BAG), lengths(w)), "Y I", k=10)
single("TopK", "TopK", lambda w: w.floats(128, 10000), "Y I", k=10)
single("TopK-1000", "TopK", lambda w: w.floats(16, 100000), "Y I", k=1000)
single("TopK-small", "TopK", lambda w: w.floats(4096, 100), "Y I", k=5)
single("Unique", "Unique", lambda w: w.whole(ROWS, BAGS * BAG), "Y R")
single("Unique-few", "Unique", lambda w: w.whole(1000, BAGS * BAG), "Y R")
single("Gather", "Gather", lambda w: (w.table(), w.whole(ROWS, BAGS * BAG)))
single("BatchGather", "BatchGather", lambda w: (w.floats(64, 5000, 16), w.whole(5000, 1000)))
single("SegmentOneHot", "SegmentOneHot", lambda w: (lengths(w), w.whole(1000, BAGS * BAG), np.array([1000])))
single("OneHot", "OneHot", lambda w: (w.whole(1000, BAGS), np.array([1000])))
single("LengthsToRanges", "LengthsToRanges", lambda w: lengths(w))
single("LengthsRangeFill", "LengthsRangeFill", lambda w: lengths(w))
single("FloatToHalf", "FloatToHalf", lambda w: w.floats(1024, 1024))
single("Cast-int", "Cast", lambda w: w.floats(1024, 1024), to=2)
single("Cast-float", "Cast", lambda w: w.whole(1000, 1024, 1024), to=1)


@work("ScatterAssign")
def _(w):
    w.feed(T=w.table(), I=w.rng.permutation(ROWS)[: BAGS * BAG], S=rows(w))
    w.add("ScatterAssign", "T I S", "T")


@work("ScatterWeightedSum")
def _(w):
    one = np.ones(1, np.float32)
    w.feed(T=w.table(), I=w.whole(ROWS, BAGS * BAG), S=rows(w), A=one, B=-0.01 * one)
    w.add("ScatterWeightedSum", "T A I S B", "T")
