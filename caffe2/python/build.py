"""How the engine was built, as programs ask."""

import caffe2.python._import_c_extension as C

CAFFE2_NO_OPERATOR_SCHEMA = C.define_caffe2_no_operator_schema
build_options = C.get_build_options()

__all__ = ["CAFFE2_NO_OPERATOR_SCHEMA", "build_options"]
