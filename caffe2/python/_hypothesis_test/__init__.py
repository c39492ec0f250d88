"""Behind caffe2.python.hypothesis_test_util: profiles, strategies and checks; needs the package hypothesis."""
