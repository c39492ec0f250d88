"""Conditions and loops over models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from caffe2.python.control_ops_util import add_if_op, add_while_op
from caffe2.python.helpers._parameters import Blob

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["cond", "loop"]


def cond(
    model: ModelHelper,
    cond_blob: Blob,
    external_blobs: Sequence[Blob],
    then_model: ModelHelper,
    else_model: ModelHelper | None = None,
) -> None:
    """Run one model's net where `cond_blob` holds, and the other's, if given, where it does not.

    external_blobs: those of the two models that are blobs of `model`; all others are local.
    """
    add_if_op(model.net, cond_blob, external_blobs, then_model.net, else_model.net if else_model else None)


def loop(
    model: ModelHelper,
    cond_blob: Blob,
    external_blobs: Sequence[Blob],
    loop_model: ModelHelper,
    cond_model: ModelHelper | None = None,
) -> None:
    """Run a model's net for as long as `cond_blob` holds, which `cond_model`, if given, computes before each turn.

    external_blobs: those of the two models that are blobs of `model`; all others are local.
    """
    add_while_op(model.net, cond_blob, external_blobs, loop_model.net, cond_model.net if cond_model else None)
