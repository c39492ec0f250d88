"""Feature maps: scalars, lists and maps of one feature or of many, example by example.

A feature that not every example has comes as one of

    scalar  values, presence                  one value an example
    list    lengths, values, presence         lengths cut the values of the examples that have it
    map     lengths, keys, values, presence

and many features together, lengths counting those of each example and keys (int64) naming them, as one of

    scalar  lengths, keys, values
    list    lengths, keys, value lengths, values
    map     lengths, keys, value lengths, value keys, values
"""
