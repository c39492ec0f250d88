"""What a Caffe solver and its nets have to be before a training begins."""
