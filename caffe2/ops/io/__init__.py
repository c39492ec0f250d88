"""Operators that read and write files.

handler: what the operator that opens it made.
db, db_type: the path and the kind of a database: minidb, lmdb, leveldb ...
absolute_path: the path is absolute, not below the workspace's root folder.
strip_prefix: names are stored, or looked for, without what goes up to this.
blob_name_overrides: names to store the blobs under, instead of their own.
chunk_size: elements of a tensor in one record; -1 for 1000000, 0 for all.
blob_name: the name; that of the blob unless given.
"""
