"""Input from databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffe2.python.helpers._parameters import Blob

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["db_input"]


def db_input(model: ModelHelper, blobs_out: Sequence[Blob], batch_size: int, db: str, db_type: str) -> Any:
    """The next `batch_size` records, of TensorProtos, of the database at `db`, a blob a tensor."""
    reader = model.param_init_net.CreateDB([], "dbreader_" + db, db=db, db_type=db_type)
    return model.net.TensorProtosDBInput(reader, blobs_out, batch_size=batch_size)
