"""Behind caffe2.python.model_helper: models, and the nets extracted from them to predict."""
