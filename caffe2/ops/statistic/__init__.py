"""Statistics: histograms, quantiles, buckets, piecewise functions."""
