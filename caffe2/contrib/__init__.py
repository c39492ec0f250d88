"""Historical paths of what was contributed to Caffe2."""
