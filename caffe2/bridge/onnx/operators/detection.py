"""Detectors of Caffe's: boxes decoded and cut off, and suppressed by ONNX's NonMaxSuppression."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.onnx.call import Call, Unexportable, exports

LOWEST = np.finfo(np.float32).min
INT64 = np.dtype(np.int64)


@exports("CaffeDetectionOutput")
def _(c: Call) -> None:
    """Each class of each image is a batch of its own for the suppression, which gives them in order."""
    a, images = c.args, c.shape()[0]
    if a.eta < 1:
        raise Unexportable("a threshold that adapts to each box (eta) has no form in ONNX; leave eta out")
    boxes, scores = _decoded(c), _chances(c)
    chosen = _suppressed(c, boxes, scores, a.nms_threshold, -1)
    batch, box = (c.add("Slice", chosen, c.ints(k), c.ints(k + 1), c.ints(1)) for k in (0, 2))
    classes = c.constant(a.num_classes, np.int64)
    about = [c.add(kind, batch, classes) for kind in ("Div", "Mod")]
    place = c.add("Concat", batch, box, axis=1)
    score = c.add("Unsqueeze", c.add("GatherND", c.add("Squeeze", scores, c.ints(1)), place), c.ints(1))
    parts = [*(c.add("Cast", n, to=c.dtype()) for n in about), score, c.add("GatherND", boxes, place)]
    rows = c.add("Concat", *parts, axis=1)
    if a.keep_top_k > -1:
        rows = _best_of_images(c, rows, images, a.keep_top_k)
    c.reshape(_or_none(c, rows, images), (1, 1, -1, 7), c.outputs[0])


def _decoded(c: Call) -> str:
    """The boxes of every class of every image: [N K, P, 4]."""
    a, images = c.args, c.shape()[0]
    kinds, count = 1 if a.share_location else a.num_classes, c.meta(2).numel() // 8
    both = c.reshape(c.inputs[2], (2, count, 1, 4))
    priors, variance = (c.add("Gather", both, c.constant(k, np.int64)) for k in (0, 1))
    moves = c.reshape(c.inputs[0], (images, count, kinds, 4))
    moves = moves if a.variance_encoded_in_target else c.add("Mul", moves, variance)
    boxes = c.transpose(_box(c, a.code_type, moves, priors), (0, 2, 1, 3))
    if kinds < a.num_classes:
        boxes = c.add("Expand", boxes, c.ints(images, a.num_classes, count, 4))
    return c.reshape(boxes, (images * a.num_classes, count, 4))


def _halves(c: Call, x: str, axis: int) -> list[str]:
    return [c.add("Slice", x, c.ints(k), c.ints(k + 2), c.ints(axis)) for k in (0, 2)]


def _box(c: Call, code: str, moves: str, priors: str) -> str:
    """Boxes of what is predicted for priors: corners moved, or centers moved and sizes multiplied."""
    if code == "CORNER":
        return c.add("Add", priors, moves)
    low, high = _halves(c, priors, 2)
    size = c.add("Sub", high, low)
    if code == "CORNER_SIZE":
        return c.add("Add", priors, c.add("Mul", moves, c.add("Concat", size, size, axis=2)))
    shift, growth = _halves(c, moves, 3)
    half = c.number(0.5)
    center = c.add("Add", c.add("Mul", c.add("Add", low, high), half), c.add("Mul", shift, size))
    reach = c.add("Mul", c.add("Mul", c.add("Exp", growth), size), half)
    return c.add("Concat", c.add("Sub", center, reach), c.add("Add", center, reach), axis=3)


def _chances(c: Call) -> str:
    """The scores of every class of every image, [N K, 1, P]; the lowest number for what is not to be looked at."""
    a, images, count = c.args, c.shape()[0], c.meta(2).numel() // 8
    scores = c.transpose(c.reshape(c.inputs[1], (images, count, a.num_classes)), (0, 2, 1))
    wanted = np.arange(a.num_classes).reshape(1, -1, 1) != a.background_label_id
    scores = c.add("Where", c.constant(wanted), scores, c.number(LOWEST))
    if a.confidence_threshold > LOWEST:
        enough = c.add("Greater", scores, c.number(a.confidence_threshold))
        scores = c.add("Where", enough, scores, c.number(LOWEST))
    if -1 < a.top_k < count:
        scores = _only_best(c, scores, a.top_k, 2)
    return c.reshape(scores, (images * a.num_classes, 1, count))


def _only_best(c: Call, scores: str, count: int, axis: int) -> str:
    """The best scores along an axis; the rest become the lowest number."""
    values, places = (c.graph.fresh(scores) for _ in range(2))
    c.add("TopK", scores, c.ints(count), outputs=[values, places], axis=axis)
    blank = c.add("Expand", c.number(LOWEST), c.add("Shape", scores))
    return c.add("ScatterElements", blank, places, values, axis=axis)


def _suppressed(c: Call, boxes: str, scores: str, limit: float, most: int) -> str:
    """Batch, class and place of the boxes that stay, the best of each first; `most` of a class, -1 for all."""
    if not 0 <= limit <= 1:
        raise Unexportable(f"the overlap that is allowed is {limit}; ONNX takes 0 to 1")
    count = c.constant([most if most > -1 else np.iinfo(np.int32).max], np.int64)
    overlap, lowest = (c.constant([v], np.float32) for v in (limit, LOWEST))
    return c.add("NonMaxSuppression", boxes, scores, count, overlap, lowest)


def _best_of_images(c: Call, rows: str, images: int, count: int) -> str:
    """The best rows of every image, in the order in which they were."""
    first = c.reshape(c.add("Slice", rows, c.ints(0), c.ints(1), c.ints(1)), (-1,))
    found = []
    for k in range(images):
        own = c.add("Compress", rows, c.add("Equal", first, c.number(k)), axis=0)
        scores = c.reshape(c.add("Slice", own, c.ints(2), c.ints(3), c.ints(1)), (-1,))
        size = c.add("Min", c.add("Shape", scores), c.ints(count))
        best, places, ordered, back = (c.graph.fresh(rows) for _ in range(4))
        c.add("TopK", scores, size, outputs=[best, places], axis=0)
        c.add("TopK", places, size, outputs=[ordered, back], axis=0, largest=0)
        found.append(c.add("Gather", own, ordered, axis=0))
    return c.add("Concat", *found, axis=0) if images > 1 else found[0]


def _or_none(c: Call, rows: str, images: int) -> str:
    """The rows, or where there are none one of -1 for each image."""
    none = np.full((images, 7), -1, c.dtype())
    none[:, 0] = np.arange(images)
    empty = c.add("Equal", c.add("Slice", c.add("Shape", rows), c.ints(0), c.ints(1)), c.ints(0))
    count = c.add("Where", empty, c.ints(images), c.ints(0))
    return c.add("Concat", rows, c.add("Slice", c.constant(none), c.ints(0), count, c.ints(0)), axis=0)


@exports("CaffeProposal")
def _(c: Call) -> None:
    """Boxes here include their ends, so those that are compared reach one further."""
    a, total = c.args, c.meta(1).numel() // 4
    boxes = _proposed(c)
    low, high = _halves(c, boxes, 1)
    further = c.add("Add", high, c.number(1))
    score = _of_objects(c, c.add("Sub", further, low))
    if 0 < a.pre_nms_topn < total:
        score = _only_best(c, score, a.pre_nms_topn, 0)
    compared = c.add("Unsqueeze", c.add("Concat", low, further, axis=1), c.ints(0))
    chosen = _suppressed(c, compared, c.reshape(score, (1, 1, -1)), a.nms_threshold, a.post_nms_topn)
    place = c.reshape(c.add("Slice", chosen, c.ints(2), c.ints(3), c.ints(1)), (-1,))
    sides = c.ints(0, 1, 0, 0)
    c.give("Pad", c.add("Gather", boxes, place, axis=0), sides, c.number(0))
    if c.wants(1):
        c.add("Gather", score, place, outputs=[c.outputs[1]], axis=0)


def _proposed(c: Call) -> str:
    """The anchors of all places, place by place, moved and cut off at the image: [H W A, 4]."""
    a, (rows, columns) = c.args, c.shape(1)[2:]
    around = np.asarray(a.anchors, np.float32).reshape(-1, 4)
    y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    shift = np.stack([x, y, x, y], -1).astype(np.float32) * np.float32(a.feat_stride)
    anchors = (shift[:, :, None] + around).reshape(-1, 4)
    size = anchors[:, 2:] - anchors[:, :2] + 1
    moves = c.transpose(c.reshape(c.inputs[1], (len(around), 4, rows, columns)), (2, 3, 0, 1))
    delta, growth = _halves(c, c.reshape(moves, (-1, 4)), 1)
    center = c.add("Add", c.constant(anchors[:, :2] + 0.5 * size), c.add("Mul", delta, c.constant(size)))
    half = c.add("Mul", c.add("Exp", growth), c.constant(0.5 * size))
    moved = c.add("Concat", c.add("Sub", center, half), c.add("Add", center, half), axis=1)
    info = c.reshape(c.inputs[2], (-1,))
    limits = c.add("Sub", c.add("Gather", info, c.ints(1, 0, 1, 0)), c.number(1))
    return c.add("Min", c.add("Max", moved, c.number(0)), limits)


def _of_objects(c: Call, size: str) -> str:
    """The chance of an object in each box, [H W A]; the lowest number for a box that is too small."""
    anchors = c.shape(1)[1] // 4
    second = c.add("Slice", c.inputs[0], c.ints(anchors), c.ints(2 * anchors), c.ints(1))
    chance = c.reshape(c.transpose(second, (0, 2, 3, 1)), (-1,))
    scales = c.ints(c.meta(2).numel() - 1, min(2, c.meta(2).numel() - 1))
    least = c.add("Mul", c.add("Gather", c.reshape(c.inputs[2], (-1,)), scales), c.number(c.args.min_size))
    large = c.add("Cast", c.add("GreaterOrEqual", size, least), to=INT64)
    both = c.add("Cast", c.reduce("ReduceMin", large, (1,), False), to=np.dtype(bool))
    return c.add("Where", both, chance, c.number(LOWEST))
