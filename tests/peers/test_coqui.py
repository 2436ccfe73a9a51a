"""Voices that Coqui TTS made, converted, say what they say there. Needs a Python that has coqui-tts."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch

from hf_vits.conversion import convert

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PYTHON = Path(os.environ.get("HF_VITS_COQUI_PYTHON", ROOT / ".venv-coqui/bin/python"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON.is_file(),
        reason=f"no {PYTHON}; name a Python that has coqui-tts with the environment variable HF_VITS_COQUI_PYTHON",
    ),
]

PLAIN = {"use_sdp": False}
TABLE = {"use_speaker_embedding": True, "speaker_embedding_channels": 16}
FIVE = ["ada", "bea", "cem", "dan", "eva"]
LANGUAGES = {"use_language_embedding": True}
VOICES = {
    "stochastic": ({}, {}),
    "plain": (PLAIN, {}),
    "5 speakers": (TABLE, {"speakers": FIVE}),
    "5 speakers, plain": ({**TABLE, **PLAIN}, {"speakers": FIVE}),
    "5 speakers, durations that do not see them": ({**TABLE, "condition_dp_on_speaker": False}, {"speakers": FIVE}),
    "5 speakers, plain durations that do not see them": (
        {**TABLE, **PLAIN, "condition_dp_on_speaker": False},
        {"speakers": FIVE},
    ),
    "1 speaker with a table": (TABLE, {"speakers": ["ada"]}),
    "3 languages": (LANGUAGES, {"languages": ["en", "fr-fr", "pt-br"]}),
    "3 languages, plain": ({**LANGUAGES, **PLAIN}, {"languages": ["en", "fr-fr", "pt-br"]}),
    "3 languages, 5 speakers": ({**LANGUAGES, **TABLE}, {"speakers": FIVE, "languages": ["en", "fr-fr", "pt-br"]}),
    "1 language with a table": (LANGUAGES, {"languages": ["en"]}),
    "vectors from outside": ({"use_d_vector_file": True, "d_vector_dim": 12}, {}),
    "blocks of type 2": ({"resblock_type_decoder": "2", "resblock_dilation_sizes_decoder": [[1, 2], [2, 6]]}, {}),
    "other strides": (
        {"upsample_rates_decoder": [8, 4, 4], "upsample_kernel_sizes_decoder": [16, 8, 8], "length_scale": 1.5},
        {"audio": {"sample_rate": 16_000, "hop_length": 128}},
    ),
    "a decoder of another rate": (
        {
            "encoder_sample_rate": 11_025,
            "interpolate_z": False,
            "upsample_rates_decoder": [8, 8, 2, 4],
            "upsample_kernel_sizes_decoder": [16, 16, 4, 8],
        },
        {"audio": {"sample_rate": 22_050, "hop_length": 256}},
    ),
    "its discriminators": ({}, {}),
}


def items(args, config):
    texts = torch.randint(1, 60, (2, 13), generator=torch.Generator().manual_seed(1)).tolist()
    made = []
    for number, ids in enumerate(texts):
        item = {"ids": ids}
        if args.get("use_speaker_embedding"):
            item["speaker_ids"] = (3 * number + 1) % len(config["speakers"])
        if args.get("use_d_vector_file"):
            item["speaker"] = ["bea", "ada"][number]
        if args.get("use_language_embedding"):
            item["language_ids"] = (2 * number + 1) % len(config["languages"])
        made.append(item)
    return made


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder by name for each voice, in which Coqui's program has been."""
    root = tmp_path_factory.mktemp("coqui")
    jobs = []
    for name, (args, config) in VOICES.items():
        args, config, folder = dict(args), dict(config), root / name.replace(" ", "_")
        folder.mkdir()
        if args.get("use_d_vector_file"):
            noise = torch.Generator().manual_seed(2)
            vectors = {
                f"clip{i}": {
                    "name": ["ada", "bea", "cem"][i % 3],
                    "embedding": torch.randn(12, generator=noise).tolist(),
                }
                for i in range(7)
            }
            (folder / "vectors.json").write_text(json.dumps(vectors))
            args["d_vector_file"] = [str(folder / "vectors.json")]
        if "audio" in config:
            config["audio"] = {"fft_size": 1024, "win_length": 1024, **config["audio"]}
        jobs.append(
            {
                "do": "speak",
                "folder": str(folder),
                "args": args,
                "config": config,
                "items": items(args, config),
                "judges": name == "its discriminators",
            }
        )
    run(jobs, root)
    return {Path(job["folder"]).name.replace("_", " "): job for job in jobs}


def run(jobs, folder):
    (folder / "jobs.json").write_text(json.dumps(jobs))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [PYTHON, HERE / "coqui.py", folder / "jobs.json"], env=environment, capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("name", VOICES)
def test_a_converted_voice_says_what_it_says_in_coqui(folders, name):
    job = folders[name]
    folder = Path(job["folder"])

    voice = convert(folder / "best_model.pth")

    model, config = voice.model(), voice.config
    several = config.num_speakers > 1
    for item, said in zip(job["items"], torch.load(folder / "said.pt"), strict=True):
        out = model(
            torch.tensor([item["ids"]]),
            speaker_id=item.get("speaker", item.get("speaker_ids")) if several else None,
            language_id=item.get("language_ids"),
            noise_scale=0.0,
            noise_scale_duration=0.0,
        )
        assert out.waveform.shape[1] == len(said) > 0
        assert said.abs().max() > 0.05
        torch.testing.assert_close(out.waveform[0], said, rtol=0, atol=1e-4)
    assert (voice.discriminator is not None) == job["judges"]
