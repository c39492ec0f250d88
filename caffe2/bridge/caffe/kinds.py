"""What kind of file a file is, and what to say of one that is no Caffe file at all."""

from __future__ import annotations

import mmap
import os
import re

from caffe2.bridge.caffe.errors import FileError, Position

LARGEST_TEXT = 8 << 20
_HEAD = 4096

_MAGIC = (
    (b"\x1f\x8b", "a gzip archive; unpack it first (gunzip)"),
    (b"PK\x03\x04", "a zip archive (or a PyTorch or Keras model); unpack it first (unzip)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first (7z x)"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it first (unrar x)"),
    (b"\xfd7zXZ\x00", "an xz archive; unpack it first (unxz)"),
    (b"BZh", "a bzip2 archive; unpack it first (bunzip2)"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it first (unzstd)"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x80\x02", "a Python pickle (a PyTorch or Theano model?)"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite data base"),
)
_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|script|title|meta)\b", re.I | re.S)
_XML = re.compile(rb"\s*<\?xml|\s*<Error>", re.I)
_LFS = re.compile(rb"version https://git-lfs\.github\.com/spec/")
_LFS_SIZE = re.compile(rb"^size (\d{1,18})$", re.M)
_ANNEX = re.compile(rb"\S*annex/objects/\S+\s*\Z")
_MODELS = (
    # A .solverstate begins alike, but its second field is the path of a .caffemodel.
    (re.compile(rb"\x08[\x03-\x1f]\x12[\x01-\x7f](?![!-~]*\.(?:caffemodel|h5))[ -~]"), "an ONNX model"),
    (re.compile(rb"\n[^\n]{1,3}\n[\x01-\x7f][!-~]+\x12[\x01-\x7f][A-Z]"), "a TensorFlow graph"),
    (re.compile(rb".{4}TFL3", re.S), "a TensorFlow Lite model"),
)
_JSON = re.compile(rb"\s*\{\s*\"")
_FIELD = re.compile(rb"^\s*(?:[a-z_][a-z0-9_]*\s*(?::|\{|<)|#)", re.I | re.M)
HDF5 = b"\x89HDF\r\n\x1a\n"
NUMPY = b"\x93NUMPY"


def foreign(head: bytes) -> str:
    """What a file that begins with `head` is, if it surely is not Caffe's; "" where it may be."""
    if not head:
        return "empty; the download failed, or the disk was full"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first (tar xf)"
    if _PAGE.match(head):
        return "a web page, not a model: the link leads to a page (a login, a notice); download the file itself"
    if _LFS.match(head):
        size = _LFS_SIZE.search(head)
        of = f" (of a file of {int(size[1]):,} bytes)" if size else ""
        return f"a Git LFS pointer{of}, not the file it stands for; run: git lfs pull"
    if _ANNEX.match(head):
        return "a git-annex pointer, not the file it stands for; run: git annex get"
    for pattern, what in _MODELS:
        if pattern.match(head):
            return f"{what}, not Caffe's"
    if _XML.match(head):
        return "an XML document, perhaps a storage server's error message instead of the file"
    return "a JSON document" if _JSON.match(head) else ""


def is_text(head: bytes) -> bool:
    """Whether `head` reads as text: no zero bytes, and few control characters but blanks."""
    control = sum(head.count(bytes([byte])) for byte in range(32) if byte not in b"\t\n\v\f\r")
    return b"\0" not in head and control * 8 <= len(head)


def looks_like_prototxt(head: bytes) -> bool:
    """Whether `head` is text that begins with a field or a comment."""
    return is_text(head) and bool(_FIELD.search(head))


def open_file(path: str) -> mmap.mmap | bytes:
    """The bytes of a file, memory-mapped.

    Raises:
        FileError: it does not exist, is a folder, is empty or cannot be read.
    """
    place = Position(path)
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise FileError("no such file", position=place) from None
    except IsADirectoryError:
        raise FileError("this is a folder, not a file", position=place) from None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be read: {getattr(error, 'strerror', None) or error}", position=place) from None
    raise FileError(f"this file is {foreign(b'')}", position=place)


def read_text_file(path: str) -> bytes:
    """The bytes of a prototxt.

    Raises:
        FileError: it cannot be read, is of another kind, or is larger than 8 MiB.
    """
    data, place = open_file(path), Position(path)
    head = data[:_HEAD]
    if what := foreign(head):
        raise FileError(f"expected a prototxt, but this file is {what}", position=place)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileError("this text is UTF-16; save it as UTF-8", position=place)
    if not is_text(head):
        what = "binary; is it the .caffemodel? The prototxt, which is text, goes first"
        raise FileError(f"expected a prototxt, but this file is {what}", position=place)
    if len(data) > LARGEST_TEXT:
        what = f"a text of {len(data):,} bytes is larger than any net; weights belong in a .caffemodel"
        raise FileError(what, position=place)
    return data[:]


def open_binary_file(path: str, expected: str) -> mmap.mmap:
    """The bytes of a binary file of Caffe's, memory-mapped; `expected` says which kind, for the message.

    Raises:
        FileError: it cannot be read, or is of another kind.
    """
    data = open_file(path)
    head = data[:_HEAD]
    if what := foreign(head):
        raise FileError(f"expected {expected}, but this file is {what}", position=Position(path))
    if looks_like_prototxt(head):
        what = f"expected {expected}, which is binary, but this file is text; is it the prototxt?"
        raise FileError(what, position=Position(path))
    return data
