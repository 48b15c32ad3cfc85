"""Freed memory stays with the process."""

import platform
import subprocess
import sys

from zoopraxis.engine import allocator
from zoopraxis.engine.allocator import keep_memory

FAULTS = """
import resource, sys
import numpy as np
from zoopraxis.engine.allocator import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.ones(48 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(2)
print(faults(8))
"""


def test_a_block_is_cleared_once():
    def faults(word):
        command = [sys.executable, "-c", FAULTS, word]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    if platform.libc_ver()[0] == "glibc":
        assert int(faults("keep").stdout) * 4 < int(faults("leave").stdout)
    else:  # there are no such settings, and the program's own assertion says so
        assert faults("keep").returncode == 1


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert keep_memory() is False
