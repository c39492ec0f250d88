"""Compiles the .proto files of this directory: `python caffe2/proto/generate.py`, which needs the package grpcio-tools.

Each `<stem>.proto` gives `<stem>.desc`, the serialized FileDescriptorProto that `<stem>_pb2.py` loads, and the stubs
`<stem>_pb2.pyi`. As long as the descriptors that are there load, `python -m caffe2.proto.generate` does the same.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def compile_file(source: Path, stubs: Path = ROOT) -> bytes:
    """The serialized descriptor of one .proto file; its type stubs are written under the directory `stubs`."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "set"
        arguments = [f"-I{ROOT}", f"--descriptor_set_out={result}", f"--pyi_out={stubs}", str(source)]
        if protoc.main(["protoc", *arguments]):
            raise SystemExit(f"{source}: protoc refuses it, see above")
        (file,) = FileDescriptorSet.FromString(result.read_bytes()).file
    _declare_short_names(stubs / "caffe2" / "proto" / f"{source.stem}_pb2.pyi")
    return file.SerializeToString(deterministic=True)


def _declare_short_names(stub: Path) -> None:
    # caffe2_pb2 has CPU beside PROTO_CPU, and so on, which protoc does not know of.
    text = stub.read_text()
    short = re.findall(r"^PROTO_(\w+: DeviceTypeProto)$", text, re.MULTILINE)
    stub.write_text(text + "".join(f"{line}\n" for line in short))


def main() -> None:
    for source in sorted(HERE.glob("*.proto")):
        source.with_suffix(".desc").write_bytes(compile_file(source))
        print(source.name)


if __name__ == "__main__":
    main()
