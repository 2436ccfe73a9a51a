"""Run by a Python that has coqui-tts: builds random VITS models, saves them as Coqui does, and says what they say.

`python coqui.py jobs.json` does each job of the list; see the functions, which are called by the job's "do".
"""

import importlib.machinery
import importlib.util
import json
import sys
import types
import warnings
from pathlib import Path
from unittest.mock import MagicMock

warnings.filterwarnings("ignore")


def stand_in(name):
    """A package that coqui-tts asks for, and has no use for here, if it is not installed."""
    if "." not in name and importlib.util.find_spec(name) is not None:
        return
    if "." in name and not isinstance(sys.modules.get(name.split(".")[0]), StandIn):
        return
    module = StandIn(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__path__, module.__version__ = [], "0"
    sys.modules[name] = module


class StandIn(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


for package in ("torchaudio", "torchaudio.transforms", "torchaudio.functional", "torchcodec", "torchcodec.decoders"):
    stand_in(package)

import torch  # noqa: E402
from trainer.io import save_model  # noqa: E402
from TTS.config import BaseAudioConfig  # noqa: E402
from TTS.tts.configs.shared_configs import CharactersConfig  # noqa: E402
from TTS.tts.configs.vits_config import VitsConfig  # noqa: E402
from TTS.tts.models.vits import Vits, VitsArgs  # noqa: E402
from TTS.tts.utils.text import cleaners  # noqa: E402
from TTS.tts.utils.text import tokenizer as tokenizer_module  # noqa: E402
from TTS.tts.utils.text.phonemizers.base import BasePhonemizer  # noqa: E402
from TTS.tts.utils.text.tokenizer import TTSTokenizer  # noqa: E402

SMALL = {
    "hidden_channels_ffn_text_encoder": 64,
    "num_layers_text_encoder": 2,
    "num_layers_posterior_encoder": 2,
    "num_layers_flow": 2,
    "upsample_initial_channel_decoder": 32,
    "resblock_kernel_sizes_decoder": [3, 5],
    "resblock_dilation_sizes_decoder": [[1, 3, 5], [1, 2, 4]],
}


def enliven(model):
    """Gives every parameter a random value of sensible size; a fresh VITS has zeros that would hide mistakes."""
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = torch.randn(parameter.shape, generator=noise)
            if name.endswith(("original0", "weight_g", "gamma")):
                values = 1 + 0.1 * values
            elif parameter.dim() >= 2 and not name.endswith(("log_scale", "translation", "beta")):
                values = values * parameter[0].numel() ** -0.5
            else:
                values = 0.1 * values
            parameter.copy_(values)


def config_of(job):
    fields = dict(job.get("config", {}))
    if fields.get("characters"):
        fields["characters"] = CharactersConfig(**fields["characters"])
    if fields.get("audio"):
        fields["audio"] = BaseAudioConfig(**fields["audio"])
    return VitsConfig(model_args=VitsArgs(**SMALL | job.get("args", {})), **fields)


def speak(job):
    """A folder with checkpoint and config.json; what the model says to each of `ids` with noise 0."""
    folder = Path(job["folder"])
    config = config_of(job)
    model = Vits.init_from_config(config)
    enliven(model)
    model.eval()
    if not job.get("discriminators"):
        del model.disc
    save_model(config, model, folder / "best_model.pth", current_step=7, epoch=1)
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    model.inference_noise_scale = model.inference_noise_scale_dp = 0.0
    said = []
    for item in job["items"]:
        aux = {}
        for name in ("speaker_ids", "language_ids"):
            if name in item:
                aux[name] = torch.tensor([item[name]])
        if "speaker" in item:
            mean = model.speaker_manager.get_mean_embedding(item["speaker"], num_samples=None, randomize=False)
            aux["d_vectors"] = torch.tensor(mean, dtype=torch.float).unsqueeze(0)
        said.append(model.inference(torch.tensor([item["ids"]]), aux)["model_outputs"].flatten())
    torch.save(said, folder / "said.pt")


class Stub(BasePhonemizer):
    """Phonemes that need no espeak: the letters themselves, changed."""

    def __init__(self):
        super().__init__("en-us", keep_puncs=True)

    @staticmethod
    def name():
        return "espeak"

    @classmethod
    def is_available(cls):
        return True

    def version(self):
        return "0"

    @staticmethod
    def supported_languages():
        return {"en-us": "English"}

    def _phonemize(self, text, separator):
        return " ".join(text.lower().replace("e", "ə").replace("a", "ˈæ").split())


def tokenize(job):
    """The ids of texts, and for phonemes those of a front end that only changes letters."""
    config = config_of(job)
    tokenizer_module.get_default_phonemizer = lambda language: "stub"
    tokenizer_module.get_phonemizer_by_name = lambda name, language: Stub()
    tokenizer, _ = TTSTokenizer.init_from_config(config)
    ids = [tokenizer.text_to_ids(text, language=job["language"]) for text in job["texts"]]
    Path(job["folder"], "ids.json").write_text(json.dumps(ids))
    Path(job["folder"], "config.json").write_text(json.dumps(config.to_dict()))


def clean(job):
    """What each cleaner makes of texts in each language."""
    made = {
        f"{name} {language}": [getattr(cleaners, name)(text, lang=language) for text in job["texts"]]
        for name in job["cleaners"]
        for language in job["languages"]
    }
    Path(job["folder"], "cleaned.json").write_text(json.dumps(made))


if __name__ == "__main__":
    for job in json.loads(Path(sys.argv[1]).read_text()):
        {"speak": speak, "tokenize": tokenize, "clean": clean}[job["do"]](job)
