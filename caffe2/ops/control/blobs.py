"""Operators on the blobs of a workspace, whatever they hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.opdef import NONE, REFUSED, UNKNOWN, EnforceNotMet, Site, op
from caffe2.runtime.values import strings


@op("Free: +blobs -> +blobs", inplace="blobs => blobs", empty=True, gradient=REFUSED, shape=UNKNOWN)
def free(*blobs: Any) -> tuple[None, ...]:
    """Empties blobs: what they held is freed, they stay in the workspace.

    blobs: any blobs.
    """
    return (None,) * len(blobs)


@op("FeedBlob: -> output", gradient=NONE, shape=UNKNOWN)
def feed_blob(*, value: bytes) -> bytes:
    """A string as a blob.

    output: the string.
    value: the string.
    """
    return value


@op("GetAllBlobNames: -> blob_names", gradient=REFUSED, shape=UNKNOWN)
def get_all_blob_names(*, include_shared: bool = True, site: Site) -> np.ndarray:
    """The names of the blobs in the workspace, in order.

    blob_names: (N), strings.
    include_shared: those of the workspaces around it too.
    """
    if site.workspace is None:
        raise EnforceNotMet("GetAllBlobNames: there is no workspace here")
    names = site.workspace.names() if include_shared else site.workspace.local_names()
    return strings(np.array(names, dtype=object))
