"""Tags: words that say in which nets, and where, a layer's operators go."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from caffe2.python import context
from caffe2.python._misuse import demand


class TagContext(context.DefaultManaged):
    """The tags that layers created here get."""

    def __init__(self, tags: list[str] | None = None) -> None:
        self.tags = tags or []

    def add_tags(self, tags: list[str]) -> None:
        """Put tags into force."""
        self.tags.extend(tags)

    def remove_tags(self, tags: list[str]) -> None:
        """Take the tags that were last put into force out of it. Raises Misuse where these are others."""
        demand(self.tags[-len(tags) :] == tags, f"the tags {tags} are not the last of {self.tags}")
        self.tags = self.tags[: -len(tags)]


class Tags:
    """Within `with Tags("a")` or `with Tags(["a", "b"])`, layers that are created get these tags; also a decorator."""

    # The nets that a layer is left out of; prediction is also accumulated by a net of its own.
    EXCLUDE_FROM_TRAIN = "exclude_from_train"
    EXCLUDE_FROM_EVAL = "exclude_from_eval"
    EXCLUDE_FROM_PREDICTION = "exclude_from_prediction"
    EXCLUDE_FROM_ACCUMULATE_PRED = "exclude_from_accumulate_pred"
    TRAIN_ONLY = [EXCLUDE_FROM_PREDICTION, EXCLUDE_FROM_EVAL, EXCLUDE_FROM_ACCUMULATE_PRED]
    EVAL_ONLY = [EXCLUDE_FROM_PREDICTION, EXCLUDE_FROM_TRAIN, EXCLUDE_FROM_ACCUMULATE_PRED]
    PREDICTION_ONLY = [EXCLUDE_FROM_TRAIN, EXCLUDE_FROM_EVAL, EXCLUDE_FROM_ACCUMULATE_PRED]

    PREPROCESSING = "preprocessing"
    HANDLE_AS_SPARSE_LAYER = "handle_as_sparse_layer"
    PREFER_GPU = "prefer_gpu"
    CPU_ONLY = "cpu_only"
    LOCAL = "local"

    # Where the parameters of a layer are kept by a trainer on several machines: in shards, on one node, together with
    # those of a component, or as a copy on each trainer.
    SPARSE_SHARDED = "sparse_sharded"
    SPARSE_DONT_SHARD = "sparse_dont_shard"
    COMPONENT = "component:"
    HOGWILD_DENSE = "hogwild_dense"
    DT_TAGS = (SPARSE_SHARDED, SPARSE_DONT_SHARD, COMPONENT, HOGWILD_DENSE)

    PIPELINE = "pipeline:"
    EXTRA_INFO = "extra_info:"
    EMPTY_TAG = "empty_tag"
    PREDICTION_SCHEMA = "prediction_schema"
    FEATURE_TRANSFORM = "feature_transform"
    FEATURE_TRANSFORM_SCHEMA = "feature_transform_schema"

    def __init__(self, tags: str | list[str]) -> None:
        self.tags = tags if isinstance(tags, list) else [tags]

    def __enter__(self) -> Tags:
        TagContext.current().add_tags(self.tags)
        return self

    def __exit__(self, *exception: object) -> None:
        TagContext.current().remove_tags(self.tags)

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return wrapper
