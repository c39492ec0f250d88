"""The messages beside those of other packages, and the files that they are loaded from."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

import caffe2.proto.generate as generate

RIVAL = """
from google.protobuf import descriptor_pb2, descriptor_pool
for package, message in [("caffe2", "NetDef"), ("caffe", "NetParameter")]:
    file = descriptor_pb2.FileDescriptorProto(name=f"caffe2/proto/{package}.proto", package=package)
    file.message_type.add(name=message).field.add(name="rival", number=1, type=3, label=1)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""
OURS = """
from caffe2.proto import caffe2_pb2, caffe_pb2
assert caffe2_pb2.NetDef(name="n").SerializeToString() == b"\\n\\x01n"
assert caffe_pb2.NetParameter(name="n").SerializeToString() == b"\\n\\x01n"
"""


@pytest.mark.parametrize("program", [RIVAL + OURS, OURS + RIVAL], ids=["rival first", "ours first"])
@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_loads_beside_conflicting_definitions(program, implementation, monkeypatch):
    monkeypatch.setenv("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", implementation)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=generate.ROOT)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("source", sorted(generate.HERE.glob("*.proto")), ids=lambda path: path.stem)
def test_descriptors_are_those_of_the_sources(source: Path, tmp_path):
    pytest.importorskip("grpc_tools", reason="grpcio-tools compiles the sources")
    compiled = descriptor_pb2.FileDescriptorProto.FromString(generate.compile_file(source, stubs=tmp_path))
    assert compiled == descriptor_pb2.FileDescriptorProto.FromString(source.with_suffix(".desc").read_bytes())
    assert source.with_name(f"{source.stem}_pb2.py").exists()
