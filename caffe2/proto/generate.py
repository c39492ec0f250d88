"""Compiles the .proto files of this directory: `python -m caffe2.proto.generate`, which needs the package grpcio-tools.

Each `<stem>.proto` gives `<stem>.desc`, the serialized FileDescriptorProto that `<stem>_pb2.py` loads, and the type stubs
`<stem>_pb2.pyi`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def compile_file(source: Path) -> bytes:
    """The serialized descriptor of one .proto file; also writes the file's type stubs beside it."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "set"
        arguments = [f"-I{ROOT}", f"--descriptor_set_out={result}", f"--pyi_out={ROOT}", str(source)]
        if protoc.main(["protoc", *arguments]):
            raise SystemExit(f"{source}: protoc refuses it, see above")
        (file,) = FileDescriptorSet.FromString(result.read_bytes()).file
    return file.SerializeToString(deterministic=True)


def main() -> None:
    for source in sorted(HERE.glob("*.proto")):
        source.with_suffix(".desc").write_bytes(compile_file(source))
        print(source.name)


if __name__ == "__main__":
    main()
