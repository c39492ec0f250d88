"""Datasets: tables whose columns may be nested lists, as flat tensors with lengths, read row by row.

dataset, fields_, columns: the columns of a dataset: tensors, lengths before what they count.
fields: as outputs: the rows of each column, lengths before what they count; as an argument: the names of the columns.
cursor: as CreateTreeCursor makes it.
mutex, MUTEX: as CreateMutex makes it; held meanwhile.
vector: a vector of tensors, as CreateTensorVector makes it.
batch_size: how many rows a run gives.
enforce_batch_size: no row is given rather than fewer than batch_size.
"""
