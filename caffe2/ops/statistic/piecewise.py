"""Functions given by thresholds: buckets, steps, linear pieces, n-grams of categories; and the Box-Cox transform."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops.demand import in_range, rank
from caffe2.ops.demand import lengths as demand_lengths
from caffe2.ops.ragged import padded

BOX_COX_EPSILON = 1e-6


@op("Bucketize: data -> output", types="data: float")
class Bucketize(Op):
    """The index i with boundaries[i-1] < x <= boundaries[i] of every element x; 0 below, their number above.

    data: of any shape.
    output: of the shape of data, int32.
    boundaries: increasing numbers.
    """

    boundaries: tuple[float, ...] = ()

    def bind(self, site: Site) -> None:
        if list(self.boundaries) != sorted(self.boundaries):
            raise EnforceNotMet(f"boundaries increase; they are {list(self.boundaries)}")
        self.edges = torch.tensor(self.boundaries, dtype=torch.float32, device=site.device)

    def __call__(self, data: Tensor) -> Tensor:
        if data.dim() < 1:
            raise EnforceNotMet("data has at least one dimension")
        return torch.bucketize(data, self.edges, out_int32=True)


@op(
    "BatchBucketize: float_features indices boundaries lengths -> bucktized_feat",
    gradient=NONE,
    types="float_features boundaries: float, indices lengths: int32",
)
def batch_bucketize(x: Tensor, indices: Tensor, boundaries: Tensor, lengths: Tensor) -> Tensor:
    """bucktized_feat[n, j] = how many boundaries of feature j lie below float_features[n, indices[j]].

    float_features: (N, D).
    indices: (J), int32: columns of float_features, ascending.
    boundaries: those of feature indices[0] in increasing order, then of indices[1] ...
    lengths: (J), int32: how many boundaries each has.
    bucktized_feat: (N, J), int32.
    """
    rank(x, 2, "float_features")
    rank(indices, 1, "indices")
    rank(boundaries, 1, "boundaries")
    if lengths.numel() != indices.numel():
        raise EnforceNotMet(f"lengths and indices are as many, not {lengths.numel()} and {indices.numel()}")
    demand_lengths(lengths, boundaries.numel(), "lengths")
    in_range(indices, x.shape[1], "indices")
    columns = x.index_select(1, indices).t().contiguous()
    if x.is_meta:
        return columns.t().to(torch.int32)
    edges = padded(boundaries, lengths, int(lengths.max()) if lengths.numel() else 0, math.inf)
    places = torch.searchsorted(edges, columns, out_int32=True)
    return torch.minimum(places, lengths.unsqueeze(1)).t().contiguous()


@op("StumpFunc: X -> Y", types="X: float", gradient=NONE)
def stump_func(x: Tensor, *, threshold: float = 0.0, low_value: float = 0.0, high_value: float = 0.0) -> Tensor:
    """Y = low_value where X <= threshold, else high_value.

    X: of any shape.
    Y: of the shape of X.
    threshold, low_value, high_value: the numbers of the formula.
    """
    return torch.where(x <= threshold, low_value, high_value)


@op("StumpFuncIndex: X -> Index_Low Index_High", types="X: float", gradient=NONE, shape=UNKNOWN)
def stump_func_index(x: Tensor, *, threshold: float = 0.0) -> tuple[Tensor, Tensor]:
    """The flat indices of the elements with X <= threshold, and those of the others, in order.

    X: of any shape.
    Index_Low, Index_High: vectors of int64.
    threshold: the number.
    """
    low = x.reshape(-1) <= threshold
    return low.nonzero().reshape(-1), (~low).nonzero().reshape(-1)


@op("BatchBoxCox: data lambda1 lambda2 -> output", inplace="data -> output", types="data=lambda1=lambda2: float double")
def batch_box_cox(data: Tensor, lambda1: Tensor, lambda2: Tensor) -> Tensor:
    """The transform of Box and Cox, 1964, of every column d of data[n, d].

    With x = max(data + lambda2[d], 1e-6): (x^lambda1[d] - 1) / lambda1[d], or ln x where lambda1[d] is 0.

    data: (N, D).
    lambda1, lambda2: (D).
    output: (N, D).
    """
    if data.dim() < 1:
        raise EnforceNotMet("data has at least one dimension")
    if not data.numel():
        return data.clone()
    rows = data.reshape(data.shape[0], -1)
    if lambda1.numel() != rows.shape[1] or lambda2.numel() != rows.shape[1]:
        raise EnforceNotMet(f"lambda1 and lambda2 have one element for each of the {rows.shape[1]} columns of data")
    power, shift = lambda1.reshape(-1), lambda2.reshape(-1)
    x = (rows + shift).clamp(min=BOX_COX_EPSILON)
    flat = power == 0
    curved = (torch.pow(x, power) - 1) / torch.where(flat, 1, power)
    return torch.where(flat, torch.log(x), curved).reshape(data.shape)


@op(
    "PiecewiseLinearTransform: predictions bounds? slopes? intercepts? -> transforms",
    types="predictions=bounds=slopes=intercepts: float",
    like="predictions",
    arity=lambda i, o: i in (1, 4),
)
class PiecewiseLinearTransform(Op):
    """Piecewise linear functions: transforms[n, d] = slopes[d, k] * x + intercepts[d, k], k the piece in which x lies.

    x = predictions[n, d], cut to the bounds of column d.

    predictions: (N, D), or (N) for one column.
    bounds: of one column after another, K + 1 numbers in increasing order; a blob or an argument, as the following.
    slopes, intercepts: of one column after another, K numbers.
    transforms: of the shape of predictions.
    binary: there is one function, of predictions[n, 1]: transforms[n, 1] is its value and transforms[n, 0] 1 less that;
        predictions may have one column.
    """

    binary: bool = False
    bounds: tuple[float, ...] = ()
    slopes: tuple[float, ...] = ()
    intercepts: tuple[float, ...] = ()

    def bind(self, site: Site) -> None:
        given = [self.bounds, self.slopes, self.intercepts]
        if any(given) != all(given) or bool(any(given)) == (len(site.inputs) == 4):
            raise EnforceNotMet("bounds, slopes and intercepts are three arguments, or three blobs")
        self.pieces = None
        if all(given):
            self.pieces = self.parted(*(torch.tensor(v, dtype=torch.float32, device=site.device) for v in given))
            if not bool((self.pieces[0].diff() >= 0).all()):
                raise EnforceNotMet(f"bounds increase within each column; they are {list(self.bounds)}")

    def parted(self, bounds: Tensor, slopes: Tensor, intercepts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The three by column. Raises EnforceNotMet where their numbers do not go together."""
        columns = bounds.numel() - slopes.numel()
        if slopes.numel() != intercepts.numel() or columns < 1 or slopes.numel() % columns or not slopes.numel():
            raise EnforceNotMet(
                f"{bounds.numel()} bounds, {slopes.numel()} slopes and {intercepts.numel()} intercepts are"
                " no K + 1, K and K for each column"
            )
        if self.binary and columns != 1:
            raise EnforceNotMet(f"binary takes one function, not {columns}")
        return bounds.reshape(columns, -1), slopes.reshape(columns, -1), intercepts.reshape(columns, -1)

    def __call__(
        self, x: Tensor, bounds: Tensor | None = None, slopes: Tensor | None = None, intercepts: Tensor | None = None
    ) -> Tensor:
        pieces = self.pieces or self.parted(bounds, slopes, intercepts)
        if not self.binary:
            rank(x, 2, "predictions")
            return self.transformed(x, pieces)
        if x.dim() not in (1, 2) or (x.dim() == 2 and x.shape[1] not in (1, 2)):
            raise EnforceNotMet(f"binary takes predictions of one or two columns, not {list(x.shape)}")
        y = self.transformed(x.reshape(x.shape[0], x.shape[1:].numel())[:, -1:], pieces)
        return y.reshape(x.shape) if x.dim() == 1 or x.shape[1] == 1 else torch.cat((1 - y, y), 1)

    @staticmethod
    def transformed(x: Tensor, pieces: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        bounds, slopes, intercepts = pieces
        if x.shape[1] != bounds.shape[0]:
            raise EnforceNotMet(f"predictions have {x.shape[1]} columns, and there are functions of {bounds.shape[0]}")
        columns = x.t().contiguous()
        last = slopes.shape[1] - 1
        at = (torch.searchsorted(bounds, columns) - 1).clamp(0, last)
        at = torch.where(columns >= bounds[:, -1:], last, at)
        inside = torch.minimum(torch.maximum(columns, bounds[:, :1]), bounds[:, -1:])
        return (slopes.gather(1, at) * inside + intercepts.gather(1, at)).t().contiguous()


@op("NGramFromCategorical: floats -> ngrams", types="floats: float", gradient=NONE)
class NGramFromCategorical(Op):
    """The number of a combination: ngrams[n] = sum over k of place_k * the product of the limits before k.

    place_k is the position of the nearest whole number to floats[n, col_ids[k]] among the categorical_limits[k] values
    that `vals` gives for column k, 0 where it is none of them.

    floats: (N, D).
    ngrams: (N), int64.
    col_ids: the columns that are looked at.
    categorical_limits: for each of them how many categories it has.
    vals: the values of all these categories, one column after another.
    """

    col_ids: tuple[int, ...] = ()
    categorical_limits: tuple[int, ...] = ()
    vals: tuple[int, ...] = ()

    def bind(self, site: Site) -> None:
        limits = self.categorical_limits
        if not limits or len(limits) != len(self.col_ids) or min(*limits, 1) < 1 or min(*self.col_ids, 0) < 0:
            raise EnforceNotMet(f"col_ids {list(self.col_ids)} do not go with categorical_limits {list(limits)}")
        if sum(limits) != len(self.vals):
            raise EnforceNotMet(f"vals are {sum(limits)}, as categorical_limits say, not {len(self.vals)}")
        self.tables, base, at = [], 1, 0
        for limit in limits:
            places = {value: k * base for k, value in enumerate(self.vals[at : at + limit])}
            known = sorted(places)
            self.tables.append(
                tuple(torch.tensor(v, device=site.device) for v in (known, [places[value] for value in known]))
            )
            base, at = base * limit, at + limit

    def __call__(self, x: Tensor) -> Tensor:
        if x.dim() < 1 or x.shape[1:].numel() <= max(self.col_ids):
            raise EnforceNotMet(f"floats{list(x.shape)} has no column {max(self.col_ids)}")
        rows = x.reshape(x.shape[0], x.shape[1:].numel())
        whole = (torch.sign(rows) * torch.floor(rows.abs() + 0.5)).long()  # halves go away from zero
        total = torch.zeros(rows.shape[0], dtype=torch.int64, device=x.device)
        for column, (known, places) in zip(self.col_ids, self.tables):
            values = whole[:, column].contiguous()
            at = torch.searchsorted(known, values).clamp(max=len(known) - 1)
            total += torch.where(known[at] == values, places[at], 0)
        return total
