"""Behind caffe2.python.rnn_cell: cells, stacks of cells, and sequences that they run over."""
