"""What a step frees is there for the next one, until it is given back."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import torch
from hf_vits.training.process import hold_free_memory, return_free_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [torch.ones(2**20) for _ in range(32)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

hold_free_memory()
faults()
held, full = faults(), resident()
return_free_memory()
print(resource.getpagesize(), held, full - resident(), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_memory_is_not_asked_for_anew_until_it_is_given_back():
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    page, held, returned, anew = map(int, said.split())
    pages = 32 * 4 * 2**20 // page
    assert held < 0.5 * pages
    assert returned > 0.5 * pages
    assert anew > 0.5 * pages
