"""Behind caffe2.python.net_builder: builders of steps, of nets of control operators, and the operations in them."""
