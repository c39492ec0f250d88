"""The error of a store that waited in vain, by its historical name."""

from caffe2.ops.io.store import StoreTimeout as StoreHandlerTimeoutError

__all__ = ["StoreHandlerTimeoutError"]
