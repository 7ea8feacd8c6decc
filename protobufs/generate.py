"""Make what the package holds of the .proto files beside this: descriptors and typed stub.

    python protobufs/generate.py            # write both
    python protobufs/generate.py --check    # fail where they are not what it would write

Needs grpcio-tools, for the protoc in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "python" / "drawstore"
FILES = ("npproto/ndarray.proto", "meta.proto")  # each after those that it imports

HEADER = '''\
"""What `protobufs/generate.py` found in the .proto files: edit those, not this."""

from collections.abc import Iterable, Mapping
from typing import Literal, final

from google.protobuf.duration_pb2 import Duration as Duration
from google.protobuf.internal.containers import (
    MessageMap,
    RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer,
)
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue as ListValue
from google.protobuf.struct_pb2 import NullValue
from google.protobuf.struct_pb2 import Struct as Struct
from google.protobuf.struct_pb2 import Value as Value
from google.protobuf.timestamp_pb2 import Timestamp as Timestamp
'''

SCALARS = {
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
    FieldDescriptorProto.TYPE_DOUBLE: "float",
    FieldDescriptorProto.TYPE_INT32: "int",
    FieldDescriptorProto.TYPE_INT64: "int",
    FieldDescriptorProto.TYPE_STRING: "str",
}

Comments = dict[tuple[int, ...], list[str]]


def read() -> FileDescriptorSet:
    """Let protoc read our files, comments included."""
    include = Path(protoc.__file__).with_name("_proto")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "set")
        options = [f"-I{HERE}", f"-I{include}", "--include_source_info"]
        if protoc.main(["protoc", *options, f"--descriptor_set_out={out}", *FILES]):
            sys.exit("protoc failed")
        return FileDescriptorSet.FromString(out.read_bytes())


def descriptors(files: FileDescriptorSet) -> bytes:
    """Give the descriptors as the package holds them, without comments and places."""
    bare = FileDescriptorSet()
    bare.CopyFrom(files)
    for file in bare.file:
        file.ClearField("source_code_info")
    return bare.SerializeToString(deterministic=True)


def stub(files: FileDescriptorSet) -> str:
    """Give the stub of `drawstore._messages`."""
    parts = [HEADER]
    for file in files.file:
        comments = {
            tuple(place.path): [line.strip() for line in place.leading_comments.splitlines()]
            for place in file.source_code_info.location
        }
        for number, message in enumerate(file.message_type):
            path = (FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, number)
            parts.append("\n".join(stub_of(message, path, comments)) + "\n")
    return "\n".join(parts)


def stub_of(message: DescriptorProto, path: tuple[int, ...], comments: Comments) -> list[str]:
    """Give the lines of one class: its fields, the constructor, and what a oneof can hold."""
    maps = {entry.name: entry for entry in message.nested_type if entry.options.map_entry}
    lines = ["@final", f"class {message.name}(Message):"]
    lines += [f'    """{" ".join(comments[path])}"""', ""]
    parameters = []
    for number, field in enumerate(message.field):
        kind = taken = type_of(field)
        entry = maps.get(kind)
        if entry is not None:
            held = ", ".join(type_of(part) for part in entry.field)
            kind, taken = f"MessageMap[{held}]", f"Mapping[{held}]"
        elif field.label == FieldDescriptorProto.LABEL_REPEATED:
            container = "Composite" if is_message(field) else "Scalar"
            kind, taken = f"Repeated{container}FieldContainer[{kind}]", f"Iterable[{kind}]"
        comment = comments.get((*path, DescriptorProto.FIELD_FIELD_NUMBER, number), [])
        lines += [f"    # {line}" for line in comment]
        if kind == taken and not is_message(field):
            lines.append(f"    {field.name}: {kind}")
            parameters.append(f"        {field.name}: {taken} = ...,")
        else:
            lines += ["    @property", f"    def {field.name}(self) -> {kind}: ..."]
            parameters.append(f"        {field.name}: {taken} | None = ...,")
    lines += ["    def __init__(", "        self,", "        *,", *parameters, "    ) -> None: ..."]
    for number, choice in enumerate(message.oneof_decl):
        names = [
            field.name
            for field in message.field
            if field.HasField("oneof_index") and field.oneof_index == number
        ]
        lines += ["    def WhichOneof(", f'        self, oneof_group: Literal["{choice.name}"]']
        lines += ["    ) -> (", "        Literal[", *(f'            "{name}",' for name in names)]
        lines += ["        ]", "        | None", "    ): ..."]
    return lines


def is_message(field: FieldDescriptorProto) -> bool:
    """Say whether the values of a field are messages."""
    return field.type == FieldDescriptorProto.TYPE_MESSAGE


def type_of(field: FieldDescriptorProto) -> str:
    """Give the Python type of one value of a field."""
    if is_message(field):
        return field.type_name.rpartition(".")[2]
    return "NullValue.ValueType" if field.type_name else SCALARS[field.type]


def main() -> None:
    """Write or check the two files."""
    parser = argparse.ArgumentParser(description="Make descriptors and typed stub.")
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    check = parser.parse_args().check
    files = read()
    made = {
        PACKAGE / "_messages.binpb": descriptors(files),
        PACKAGE / "_messages.pyi": stub(files).encode(),
    }
    if not check:
        for path, content in made.items():
            path.write_bytes(content)
        return
    stale = [str(path) for path, content in made.items() if path.read_bytes() != content]
    if stale:
        sys.exit(f"stale, run protobufs/generate.py: {', '.join(stale)}")


if __name__ == "__main__":
    main()
