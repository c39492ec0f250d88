from caffe2.python import build


def test_operators_have_their_schemas():
    assert build.CAFFE2_NO_OPERATOR_SCHEMA is False and isinstance(build.build_options, dict)
