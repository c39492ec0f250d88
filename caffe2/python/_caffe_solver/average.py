"""The mean of the last losses, kept as Caffe keeps it."""

from __future__ import annotations


class Average:
    """Called with one number after the other, it answers the mean of the last `span` of them."""

    def __init__(self, span: int) -> None:
        self.span, self.count, self.mean = span, 0, 0.0
        self._recent: list[float] = []

    def __call__(self, value: float) -> float:
        if len(self._recent) < self.span:
            self._recent.append(value)
            self.mean += (value - self.mean) / len(self._recent)
        else:
            at = self.count % self.span
            self.mean += (value - self._recent[at]) / self.span
            self._recent[at] = value
        self.count += 1
        return self.mean
