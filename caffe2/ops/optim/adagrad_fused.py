"""Adagrad fused with the gradient of a sparse lengths reducer: a table of two rules and three reducers."""

from __future__ import annotations

from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops import demand, ragged
from caffe2.ops.optim.adagrad import adagrad_, compiled, row_wise_, row_wise_moment
from caffe2.ops.optim.rows import fitted, scalar, update_rows


class _Fused(Op):
    """The update of the rows that indices name by the gradient of the segment that each belongs to."""

    epsilon: float = 1e-5
    decay: float = 1.0
    weight_decay: float = 0.0
    _row_wise = False

    def bind(self, site: Site) -> None:
        if self.decay != 1:
            raise EnforceNotMet(f"{site.op.type}\n  decays nothing: decay is 1, not {self.decay}")

    def segments(self, param: Tensor, indices: Tensor, grad: Tensor, lengths: Tensor) -> Tensor:
        """The segment of each index."""
        demand.rank(indices, 1, "indices")
        demand.lengths(lengths, indices.numel(), "lengths")
        demand.same_rows(lengths, grad, "lengths and grad")
        if param.shape[1:] != grad.shape[1:]:
            raise EnforceNotMet(f"rows of param and grad agree, not {tuple(param.shape)} and {tuple(grad.shape)}")
        return ragged.segments(lengths, indices.numel())

    def tables(self, param: Tensor, moment: Tensor) -> tuple[Tensor, Tensor]:
        """Param, and the moment in a form that goes along with it row by row."""
        return param, row_wise_moment(moment, param) if self._row_wise else fitted(moment, param, "moment")

    def rule_(self, w: Tensor, h: Tensor, g: Tensor, lr: Tensor) -> None:
        """Update rows w and h in place."""
        if self._row_wise:
            row_wise_(w, h, g, lr, self.epsilon, self.weight_decay)
        else:
            adagrad_(w, h, g, lr, self.epsilon, 1.0, self.weight_decay)


class _Sum(_Fused):
    _mean = False

    def __call__(
        self, param: Tensor, moment: Tensor, indices: Tensor, grad: Tensor, lr: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        segments, rate = self.segments(param, indices, grad, lengths), scalar(lr)
        if self._mean:
            grad = grad / lengths.clamp(min=1).view(-1, *[1] * (grad.dim() - 1))
        tables, settings = self.tables(param, moment), (self.epsilon, self.weight_decay)
        if not compiled(*tables, indices, grad, rate, *settings, row_wise=self._row_wise, place=segments.long()):
            rows = grad.index_select(0, segments)
            update_rows(lambda w, h, g: self.rule_(w, h, g, rate), tables, indices, rows)
        return param, moment


class _WeightedSum(_Fused):
    _approx = False

    def __call__(
        self,
        param: Tensor,
        moment: Tensor,
        aux_param: Tensor,
        indices: Tensor,
        grad: Tensor,
        lr: Tensor,
        lengths: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        segments, rate = self.segments(param, indices, grad, lengths), scalar(lr)
        if aux_param.numel() != indices.numel():
            raise EnforceNotMet(f"aux_param holds {aux_param.numel()} weights for {indices.numel()} indices")
        rows, place = grad.index_select(0, segments), ragged.places(lengths, indices.numel())
        weights = aux_param.reshape(-1).index_select(0, place)

        def rule(w: Tensor, h: Tensor, g: Tensor, weight: Tensor) -> Tensor:
            aux_grad = _dots(w, g)
            self.rule_(w, h, g * weight.view(-1, *[1] * (g.dim() - 1)), rate)
            return aux_grad

        demand.in_range(indices, param.shape[0], "indices")
        before = None if self._approx else _dots(param.index_select(0, indices), rows)
        found = update_rows(rule, self.tables(param, moment), indices, rows, weights)
        return param, moment, found if before is None else before


def _dots(a: Tensor, b: Tensor) -> Tensor:
    """The dot product of each row of a and that of b."""
    return (a * b).flatten(1).sum(1) if a.dim() > 1 else a * b


ADAGRAD = """{rule} by the gradient of SparseLengths{reducer}.

lengths cut indices into segments; the gradient of the row that an index names is {share}.

indices: (N): rows of param, counted from 0.
grad: (S, ...): the gradient of the output of SparseLengths{reducer}, a row for each segment.
lengths: (S): how many indices each segment has; they add up to N.
moment: {moment}, 0 at the start.
{weights}decay: must be 1.
"""
WEIGHTS = """aux_param: (N): the weights.
aux_grad: (N): the gradient of the weights: the dot products of rows of param and grad, of param before {when}.
"""
SHARES = {
    "Sum": "its segment's row of grad",
    "Mean": "its segment's row of grad, divided by the segment's length",
    "WeightedSum": "its segment's row of grad times a weight of aux_param: as in the original\n"
    "that of the index's place in its segment, not among all indices",
}
SHAPES = {
    "Sum": ("param moment indices grad lr lengths -> output_param output_moment", "param moment"),
    "Mean": ("param moment indices grad lr lengths -> output_param output_moment", "param moment"),
    "WeightedSum": (
        "param moment aux_param indices grad lr lengths -> output_param output_moment aux_grad",
        "param moment aux_param",
    ),
}

for _rule in ("SparseAdagrad", "RowWiseSparseAdagrad"):
    for _reducer, (_header, _like) in SHAPES.items():
        _base = _WeightedSum if _reducer == "WeightedSum" else _Sum
        for _suffix in ("", "Approx"):
            _facets = {
                "_row_wise": _rule == "RowWiseSparseAdagrad",
                "_mean": _reducer == "Mean",
                "_approx": bool(_suffix),
            }
            _name = f"{_rule}FusedWithSparseLengths{_reducer}Gradient{_suffix}"
            _when = "the update of the row itself" if _suffix else "any update"
            _weights = WEIGHTS.format(when=_when) if _reducer == "WeightedSum" else ""
            op(
                f"{_name}: {_header}",
                inplace="param => output_param, moment => output_moment",
                types="param moment grad lr: float, indices: index, lengths: int32",
                engines="SIMD",
                mutates=True,
                like=_like,
                doc=ADAGRAD.format(
                    rule=_rule,
                    reducer=_reducer,
                    share=SHARES[_reducer],
                    moment="(M)" if _facets["_row_wise"] else "of the shape of param",
                    weights=_weights,
                ),
            )(type(_name, (_base,), _facets))
