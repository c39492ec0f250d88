"""Behind caffe2.python.net_printer: visitors of nets, steps, tasks and jobs."""
