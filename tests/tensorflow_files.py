"""Checkpoints of TensorFlow, an index and its data file, written byte by byte."""

import numpy as np

from caffe_files import field, varint

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
TYPES = {np.dtype("<f4"): 1, np.dtype("<i8"): 9, np.dtype("<f2"): 19}


def block(records, *, compression=0):
    """A table block: every key is stored without the prefix that it shares with the one before."""
    out, last = b"", b""
    for key, value in records:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        fresh = key[shared:]
        out += varint(shared) + varint(len(fresh)) + varint(len(value)) + fresh + value
        last = key
    out += (0).to_bytes(4, "little") + (1).to_bytes(4, "little")  # one restart, at 0
    return out, out + bytes([compression]) + b"sum?"


def write_checkpoint(path, variables, *, compression=0, blocks=2, slices=b""):
    """Write ``path`` (.index) and its data file."""
    shard, records = b"", [(b"", field(1, 1))]  # the header: one shard
    for name in sorted(variables):
        value = variables[name]
        data = value.tobytes()
        shape = b"".join(field(2, field(1, n)) for n in value.shape)
        entry = field(1, TYPES[value.dtype]) + field(2, shape)
        # protocol buffers leave zeros out
        entry += field(4, len(shard)) if shard else b""
        entry += field(5, len(data)) + varint(6 << 3 | 5) + b"crc?" + slices
        records.append((name.encode(), entry))
        shard += data
    table, handles = b"", []
    per = -(-len(records) // blocks)
    for i in range(0, len(records), per):
        body, stored = block(records[i : i + per], compression=compression)
        handles.append((records[i : i + per][-1][0], varint(len(table)) + varint(len(body))))
        table += stored
    index, stored = block(handles)
    footer = varint(0) + varint(0) + varint(len(table)) + varint(len(index))
    path.write_bytes(table + stored + footer.ljust(40, b"\0") + MAGIC)
    path.with_name(path.name.replace(".index", ".data-00000-of-00001")).write_bytes(shard)
