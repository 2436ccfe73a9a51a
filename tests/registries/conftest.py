import importlib

import pytest

from hf_vits.discriminators.base import DISCRIMINATORS
from hf_vits.modules.decoders.base import DECODERS
from hf_vits.training.losses import LOSSES


@pytest.fixture(autouse=True)
def toy_parts():
    """Register the parts of toy_parts.py for one test."""
    import toy_parts

    importlib.reload(toy_parts)
    yield toy_parts
    for registry, name in ((DECODERS, "toy"), (DISCRIMINATORS, "toy"), (LOSSES, "toy_loudness")):
        registry.unregister(name)
