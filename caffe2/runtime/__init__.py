"""Blobs and running: the workspace, bound operators, nets and plans."""
