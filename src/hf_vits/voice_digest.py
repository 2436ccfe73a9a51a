"""A digest of a voice, by which another run knows it whatever its folder is called."""

import hashlib
import json

import torch

VOLATILE = ("transformers_version", "_name_or_path", "name_or_path", "dtype", "architectures")
"""Fields of a configuration that say nothing about the sound."""


def voice_digest(model) -> str:
    """Digest of the weights and the configuration of a `VitsModel`: 12 hexadecimal digits."""
    config = {name: value for name, value in model.config.to_dict().items() if name not in VOLATILE}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]
