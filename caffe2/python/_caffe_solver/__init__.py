"""Behind caffe_translator.translate_solver and its command `train`: Caffe's training loop over nets of operators."""
