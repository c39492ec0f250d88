"""Behind caffe2.python.schema: fields, records of blobs, and conversions."""
