"""A healthy tiny model folder, made once, and copies of it to damage."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_voices import SPEAKERS, TINY, enliven

from hf_vits import VitsConfig, VitsModel, VitsTokenizer
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig

sys.path.insert(0, str(Path(__file__).parent))  # for `faults`

SMALLEST = {
    **TINY,
    "num_hidden_layers": 1,
    "upsample_rates": [8],
    "upsample_kernel_sizes": [16],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[2]],
    "duration_predictor_num_flows": 2,
    "depth_separable_num_layers": 1,
    "posterior_encoder_num_wavenet_layers": 1,
    "prior_encoder_num_wavenet_layers": 1,
    "prior_encoder_num_flows": 1,
}
CARD = "---\nlicense: cc0-1.0\n---\n# A voice\n"
DISCRIMINATOR = {"period_channels": [4, 4], "scale_channels": [4] * 6}


class Voice(SimpleNamespace):
    """A folder whose files can be changed."""

    def table(self, name):
        return json.loads((self.path / name).read_text())

    def change(self, name, without=(), **fields):
        table = {key: value for key, value in self.table(name).items() if key not in without}
        (self.path / name).write_text(json.dumps(table | fields))

    def tensors(self):
        return load_file(self.path / "model.safetensors")

    def rewrite(self, change):
        """Pass the tensors to a function that changes the table of them in place, or returns another."""
        tensors = {name: tensor.clone() for name, tensor in self.tensors().items()}
        tensors = change(tensors) or tensors
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, self.path / "model.safetensors")

    @staticmethod
    def tensors_of(file):
        return load_file(file)

    def add_discriminator(self, **fields):
        discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**{**DISCRIMINATOR, **fields}))
        discriminator.save_pretrained(self.path / "discriminator")
        return discriminator


def written(folder, **fields):
    (folder / "tokens.json").parent.mkdir(parents=True)
    (folder / "tokens.json").write_text(json.dumps({token: i for i, token in enumerate("_abcdefghijklmnop .'")}))
    VitsTokenizer(str(folder / "tokens.json"), pad_token="_", phonemize=False).save_pretrained(folder)
    (folder / "tokens.json").unlink()
    enliven(VitsModel(VitsConfig(**{**SMALLEST, **fields}))).save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return folder


@pytest.fixture(scope="session")
def healthy(tmp_path_factory):
    """A model folder of one speaker, to be read only."""
    return written(tmp_path_factory.mktemp("healthy") / "voice")


@pytest.fixture(scope="session")
def healthy_speakers(tmp_path_factory):
    """A model folder of three speakers, to be read only."""
    return written(tmp_path_factory.mktemp("healthy") / "voice", **SPEAKERS)


@pytest.fixture
def voice(healthy, tmp_path):
    """A copy of the model folder of one speaker."""
    return Voice(path=shutil.copytree(healthy, tmp_path / "voice"))


@pytest.fixture
def speakers_voice(healthy_speakers, tmp_path):
    """A copy of the model folder of three speakers."""
    return Voice(path=shutil.copytree(healthy_speakers, tmp_path / "voice"))


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
