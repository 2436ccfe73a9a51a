"""A waveform, and its spectra by the sums that define them."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for `spectra`


@pytest.fixture
def waveform():
    return torch.randn(2, 1, 300, generator=torch.Generator().manual_seed(3))
