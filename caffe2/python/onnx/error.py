"""Errors of the conversions."""


class BaseException(Exception):
    """Whatever a conversion raises."""


class Unsupported(BaseException):
    """What has no counterpart on the other side."""
