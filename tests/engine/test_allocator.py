"""Freed memory stays with the process."""

import platform
import subprocess
import sys

import pytest

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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_a_block_is_cleared_once():
    def faults(word):
        command = [sys.executable, "-c", FAULTS, word]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("keep") * 4 < faults("leave")


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert keep_memory() is False
