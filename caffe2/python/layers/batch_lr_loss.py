"""BatchLRLoss: logistic regression's loss, with smoothing, weighting and decay."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_fields, weighted
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.layers.tags import Tags

_FLOAT = core.DataType.FLOAT


class BatchLRLoss(ModelLayer):
    """The cross entropy of sigmoid(logit) relative to label, averaged over the examples, or added up.

    The record has label and logit, and may have prediction, log_variance and weight.

    jsd_weight: the share of the Jensen-Shannon divergence between prediction and label in place of the cross entropy.
    homotopy_weighting: let that share grow from 0 as training goes on.
    pos_label_target, neg_label_target: what labels above and up to 1/2 are taken for.
    log_D_trick, unjoined_lr_loss: other forms of the cross entropy; see SigmoidCrossEntropyWithLogits.
    uncertainty_penalty: u in (exp(-v) loss + u v) / 2, for a predicted log_variance v.
    focal_gamma: g in loss |label - prediction|^g (Lin et al., 2017), whose gradient stop_grad_in_focal_factor stops.
    task_gamma, task_gamma_lb: multiply the loss of run t by max(task_gamma^t, task_gamma_lb).
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "batch_lr_loss",
        average_loss: bool = True,
        jsd_weight: float = 0.0,
        pos_label_target: float = 1.0,
        neg_label_target: float = 0.0,
        homotopy_weighting: bool = False,
        log_D_trick: bool = False,
        unjoined_lr_loss: bool = False,
        uncertainty_penalty: float = 1.0,
        focal_gamma: float = 0.0,
        stop_grad_in_focal_factor: bool = False,
        task_gamma: float = 1.0,
        task_gamma_lb: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.average_loss = average_loss
        demand_fields(input_record, label=schema.Scalar(), logit=schema.Scalar())
        demand(0 <= jsd_weight <= 1, f"jsd_weight is a share: {jsd_weight}")
        self.jsd_fuse = jsd_weight > 0 or homotopy_weighting
        if self.jsd_fuse:
            demand("prediction" in input_record, f"the divergence needs the field prediction in {input_record!r}")
            self.init_weight(jsd_weight, homotopy_weighting)
        self.homotopy_weighting = homotopy_weighting
        demand(
            0 <= neg_label_target <= pos_label_target <= 1,
            f"targets are shares, the negative one the lesser: {neg_label_target}, {pos_label_target}",
        )
        self.pos_label_target = pos_label_target
        self.neg_label_target = neg_label_target
        demand(not (log_D_trick and unjoined_lr_loss), "log_D_trick and unjoined_lr_loss exclude each other")
        self.log_D_trick = log_D_trick
        self.unjoined_lr_loss = unjoined_lr_loss
        demand(uncertainty_penalty >= 0, f"uncertainty_penalty is not negative: {uncertainty_penalty}")
        self.uncertainty_penalty = uncertainty_penalty
        self.tags.update([Tags.EXCLUDE_FROM_PREDICTION])
        self.output_schema = schema.Scalar(np.float32, self.get_next_blob_reference("output"))
        self.focal_gamma = focal_gamma
        self.stop_grad_in_focal_factor = stop_grad_in_focal_factor
        self.apply_exp_decay = task_gamma < 1.0
        if self.apply_exp_decay:
            self.task_gamma_cur = self._constant("task_gamma_cur", 1.0)
            self.task_gamma = self._constant("task_gamma", task_gamma)
            self.task_gamma_lb = self._constant("task_gamma_lb", task_gamma_lb)

    def _constant(self, name: str, value: float, dtype: int = _FLOAT) -> core.BlobReference:
        fill = ("ConstantFill", {"value": value, "dtype": dtype})
        return self.create_param(f"{self.name}_{name}", [1], fill, self.model.NoOptim)

    def init_weight(self, jsd_weight: float, homotopy_weighting: bool) -> None:
        """Create the shares of cross entropy and divergence."""
        if homotopy_weighting:
            self.mutex = self.create_param(f"{self.name}_mutex", None, ("CreateMutex",), self.model.NoOptim)
            self.counter = self._constant("counter", 0, core.DataType.INT64)
            self.xent_weight = self._constant("xent_weight", 1.0)
            self.jsd_weight = self._constant("jsd_weight", 0.0)
        else:
            self.jsd_weight = self.model.add_global_constant(f"{self.name}_jsd_weight", jsd_weight)
            self.xent_weight = self.model.add_global_constant(f"{self.name}_xent_weight", 1.0 - jsd_weight)

    def update_weight(self, net: core.Net) -> tuple[core.BlobReference, core.BlobReference]:
        """Let the share of the divergence grow: that of the cross entropy is (1 + t / 10^6)^-0.1 at run t."""
        net.AtomicIter([self.mutex, self.counter], [self.counter])
        net.LearningRate([self.counter], [self.xent_weight], base_lr=1.0, policy="inv", gamma=1e-6, power=0.1)
        net.Sub([self.model.global_constants["ONE"], self.xent_weight], [self.jsd_weight])
        return self.xent_weight, self.jsd_weight

    def add_ops(self, net: core.Net) -> None:
        label = self._label(net)
        loss = net.SigmoidCrossEntropyWithLogits(
            [self.input_record.logit(), label],
            net.NextScopedBlob("cross_entropy"),
            log_D_trick=self.log_D_trick,
            unjoined_lr_loss=self.unjoined_lr_loss,
        )
        if self.focal_gamma != 0:
            label = net.StopGradient([label], [net.NextScopedBlob("label_stop_gradient")])
            loss = net.Mul([loss, self._focal_factor(net, label)], net.NextScopedBlob("focallossxent"))
        if self.apply_exp_decay:
            net.Mul([self.task_gamma_cur, self.task_gamma], self.task_gamma_cur)
            name = net.NextScopedBlob("task_gamma_cur_multiplier")
            multiplier = net.Max([self.task_gamma_cur, self.task_gamma_lb], name)
            loss = net.Mul([loss, multiplier], net.NextScopedBlob("expdecayxent"))
        if self.jsd_fuse:
            loss = self._add_divergence(net, loss, label)
        if "log_variance" in self.input_record.fields:
            loss = self._penalize_uncertainty(net, loss)
        loss = weighted(net, self.input_record, loss, "weighted_cross_entropy")
        combine = net.AveragedLoss if self.average_loss else net.ReduceFrontSum
        combine(loss, self.output_schema.field_blobs())

    def _label(self, net: core.Net) -> core.BlobReference:
        """The labels as a column of targets."""
        label = net.Cast(self.input_record.label(), net.NextScopedBlob("label_float32"), to=_FLOAT)
        label = net.ExpandDims(label, net.NextScopedBlob("expanded_label"), dims=[1])
        if self.pos_label_target == 1.0 and self.neg_label_target == 0.0:
            return label
        return net.StumpFunc(
            label,
            net.NextScopedBlob("smoothed_label"),
            threshold=0.5,
            low_value=self.neg_label_target,
            high_value=self.pos_label_target,
        )

    def _focal_factor(self, net: core.Net, label: core.BlobReference) -> core.BlobReference:
        """(y + p - 2 y p)^focal_gamma, which is |y - p|^focal_gamma for labels y that are 0 or 1."""
        prediction = self.input_record.prediction()
        added = net.Add([prediction, label], net.NextScopedBlob("y_plus_p"))
        twice = net.Scale(
            net.Mul([prediction, label], net.NextScopedBlob("yp")), net.NextScopedBlob("two_yp"), scale=2.0
        )
        difference = net.Sub([added, twice], net.NextScopedBlob("y_plus_p_sub_two_yp"))
        name = net.NextScopedBlob("y_plus_p_sub_two_yp_power")
        factor = net.Pow(difference, name, exponent=float(self.focal_gamma))
        if not self.stop_grad_in_focal_factor:
            return factor
        return net.StopGradient([factor], [net.NextScopedBlob("focal_factor_stop_gradient")])

    def _add_divergence(self, net: core.Net, xent: Any, label: core.BlobReference) -> core.BlobReference:
        jsd = net.BernoulliJSD([self.input_record.prediction(), label], net.NextScopedBlob("jsd"))
        if self.homotopy_weighting:
            self.update_weight(net)
        return net.WeightedSum([xent, self.xent_weight, jsd, self.jsd_weight], net.NextScopedBlob("loss"))

    def _penalize_uncertainty(self, net: core.Net, loss: core.BlobReference) -> core.BlobReference:
        variance = self.input_record.log_variance()
        variance = net.ExpandDims(variance, net.NextScopedBlob("expanded_log_variance"), dims=[1])
        negative = net.Negative([variance], net.NextScopedBlob("neg_log_variance"))
        # exp(88) is about the largest float.
        negative = net.Clip([negative], net.NextScopedBlob("clipped_neg_log_variance"), max=88.0)
        precision = net.Exp([negative], net.NextScopedBlob("exp_neg_log_variance"))
        scaled = net.Mul([precision, loss], net.NextScopedBlob("exp_neg_log_variance_loss"))
        name = net.NextScopedBlob("penalized_unceratinty")
        penalty = net.Scale(variance, name, scale=float(self.uncertainty_penalty))
        twice = net.Add([scaled, penalty], net.NextScopedBlob("loss"))
        return net.Scale(twice, net.NextScopedBlob("loss"), scale=0.5)
