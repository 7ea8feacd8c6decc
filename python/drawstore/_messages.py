"""The message classes of `protobufs/`, made from the descriptors that are committed beside this.

Code that protoc generates refuses every protobuf runtime that is older than protoc; descriptors
are understood by all of them. They live in a pool of their own, so that no message of another
library in the process can be in their way.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    reflection,
    struct_pb2,
    timestamp_pb2,
)
from google.protobuf.message import Message


def _message_class(descriptor):
    """Make the class of a message, and before it those of the messages inside: maps need them."""
    for inner in descriptor.nested_types:
        _message_class(inner)
    namespace = {"DESCRIPTOR": descriptor, "__module__": __name__}
    return reflection.GeneratedProtocolMessageType(descriptor.name, (Message,), namespace)


def _message_classes():
    files = [module.DESCRIPTOR for module in (duration_pb2, struct_pb2, timestamp_pb2)]
    serialized = {file.name: file.serialized_pb for file in files}
    ours = Path(__file__).with_name("_messages.binpb").read_bytes()
    for file in descriptor_pb2.FileDescriptorSet.FromString(ours).file:
        serialized[file.name] = file.SerializeToString()
    pool = descriptor_pool.DescriptorPool()
    for content in serialized.values():
        pool.AddSerializedFile(content)
    for name in serialized:
        for message in pool.FindFileByName(name).message_types_by_name.values():
            yield message.name, _message_class(message)


globals().update(_message_classes())
