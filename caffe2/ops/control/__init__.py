"""Control flow: nets within operators.

scope: a stack of workspaces, as CreateScope makes it.
condition: bool, one element.
captured: the blobs that the nets read, by name.
written: the blobs that the nets write, by name.
"""
