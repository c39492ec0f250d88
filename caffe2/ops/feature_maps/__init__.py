"""Feature maps: scalars, lists and maps of one feature or of many, example by example.

Of B examples, in and out:

in1: (B, F): the values.
in1_presence: (B, F), bool: which of them are there.
in: (B): a value for each example.
in_presence: (B), bool: whether an example has the feature.
in_lengths: (B), int32: how many features each example has, or how many values of the one feature, which count where the
    feature is present.
in_keys: the key of each feature, or of each entry of the map of one feature, int64.
in_values: the values, one for each key.
in_values_lengths: how many values each feature has, int32.
in_values_keys: the keys of these values.
in_values_values: the values.
out_lengths: (B), int32: how many features each example has.
out_keys: (sum of out_lengths), int64: the key of each feature.
out_values: (sum of out_lengths): the value of each feature.
out_values_lengths: (sum of out_lengths), int32: how many values each feature has.
out_values_keys: the keys of these values.
out_values_values: the values.
din_values: the gradient of the values of each input.
feature_ids: the keys that the features get.
"""
