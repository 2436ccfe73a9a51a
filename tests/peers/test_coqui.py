"""Voices that Coqui TTS made, converted, say what they say there. Needs a Python that has coqui-tts."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest
import torch

from hf_vits.conversion import convert
from hf_vits.conversion.formats.coqui_config import OWNER, read_voice
from hf_vits.conversion.formats.coqui_tokenizer import ABBREVIATING, _class, _symbols, tokenizer_of
from hf_vits.conversion.schema import read_fields
from hf_vits.text import espeak
from hf_vits.text.coqui_cleaners import CLEANERS, STRIPPING, clean
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.tokenization_vits import VitsTokenizer

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
                "discriminators": name == "its discriminators",
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
    assert (voice.discriminator is not None) == job["discriminators"]


WORDS = (
    "Hello World Mr. dr. St.Jr. It's naïve cafe\u0301 M. Mlle. etc. av. N.B. c.-à-d. rock&roll & a-b self-made x;y 1:2 "
    '10:30 5:05pm 17:00 0:15 12:00 "quoted" (paren) [br] <a> ISTANBUL İstanbul ΑΣ ß ﬁ $5.50 $1 $1.01 £3 ¥100 $0.1.2 '
    "$1,000.25 €5 1,234,567 3.14 1st 22nd 103rd 11th 20th 1999 2000 2005 1100 1905 -5 5-7 007 12345678901234567890 .5 "
    "1. ? ! … — , \n \t 你好 l'amic que; ¿qué «oui» wait... no!? _ <BLNK>"
)
LANGUAGES_OF_TEXTS = ["en", "fr", "it", "pt", "ca", "el", "de"]


def texts(count, seed):
    chance, words = random.Random(seed), WORDS.split(" ")
    return [" ".join(chance.choice(words) for _ in range(chance.randint(1, 9))) for _ in range(count)]


def test_every_cleaner_writes_what_coquis_writes_in_every_language(tmp_path):
    written = (
        texts(300, "cleaners") + [str(number) for number in range(0, 3100, 7)] + ["9" * 36, "9" * 40, "1" + "0" * 35]
    )
    job = {"do": "clean", "folder": str(tmp_path), "texts": written}
    run([job | {"cleaners": list(CLEANERS), "languages": LANGUAGES_OF_TEXTS}], tmp_path)

    cleaned = json.loads((tmp_path / "cleaned.json").read_text())

    for name in CLEANERS:
        for language in LANGUAGES_OF_TEXTS:
            if language == "it" and name in ABBREVIATING:
                continue
            for text, expected in zip(written, cleaned[f"{name} {language}"], strict=True):
                ours = clean(TextWithOffsets.original(text, False), name, language).text
                assert (ours.strip() if name in STRIPPING else ours) == expected, (name, language, text)


CHARACTERS = {
    "VitsCharacters": {
        "characters_class": "TTS.tts.models.vits.VitsCharacters",
        "pad": "_",
        "characters": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "phonemes": "ɑɐɒæɓʙβɔɕçəˈˌː",
        "punctuations": ";:,.!?¡¿—…\"«»“” '",
    },
    "Graphemes": {
        "characters_class": "TTS.tts.utils.text.characters.Graphemes",
        "pad": "<PAD>",
        "eos": "<EOS>",
        "bos": "<BOS>",
        "blank": "<BLNK>",
        "characters": "zyxabcdefghijklmnopqrstuvwéßñ",
        "punctuations": "!'(),-.:;? ",
        "is_unique": True,
        "is_sorted": True,
    },
    "IPAPhonemes": {
        "characters_class": "TTS.tts.utils.text.characters.IPAPhonemes",
        "pad": "_",
        "eos": "~",
        "bos": "^",
        "blank": "@",
        "characters": "ignored",
        "phonemes": "əˈæbcdfghijklmnopqrstuvwxyz",
        "punctuations": "!,.:;? …",
        "is_unique": False,
        "is_sorted": False,
    },
}
FRONT_ENDS = {
    "letters": {"characters": CHARACTERS["Graphemes"], "text_cleaner": "multilingual_cleaners"},
    "letters, framed": {
        "characters": CHARACTERS["Graphemes"],
        "text_cleaner": "english_cleaners",
        "enable_eos_bos_chars": True,
    },
    "letters without blanks": {
        "characters": CHARACTERS["Graphemes"],
        "text_cleaner": "french_cleaners",
        "add_blank": False,
        "phoneme_language": "fr",
    },
    "letters, no cleaner": {"characters": CHARACTERS["VitsCharacters"]},
    "letters, only lines": {"characters": CHARACTERS["VitsCharacters"], "text_cleaner": "no_cleaners"},
    "letters of the default": {"text_cleaner": "basic_cleaners"},
    "phonemes of the default": {"text_cleaner": "phoneme_cleaners", "use_phonemes": True, "phoneme_language": "en-us"},
    "phonemes": {
        "characters": CHARACTERS["VitsCharacters"],
        "text_cleaner": "phoneme_cleaners",
        "use_phonemes": True,
        "phoneme_language": "en-us",
    },
    "phonemes, framed": {
        "characters": CHARACTERS["IPAPhonemes"],
        "text_cleaner": "multilingual_phoneme_cleaners",
        "use_phonemes": True,
        "phoneme_language": "de",
        "enable_eos_bos_chars": True,
    },
}


@pytest.fixture
def changed_letters(monkeypatch):
    """The front end of `coqui.Stub` in place of espeak."""

    def clauses(text):
        phonemes = " ".join(text.lower().replace("e", "ə").replace("a", "ˈæ").split())
        return [espeak.Clause(0, len(text), phonemes)] if phonemes else []

    monkeypatch.setattr(espeak, "clauses_of", lambda texts, voice: [clauses(text) for text in texts])


@pytest.fixture(scope="module")
def front_ends(tmp_path_factory):
    """A folder by name for each front end, with its configuration and the ids of texts, which it comes with."""
    root = tmp_path_factory.mktemp("front_ends")
    jobs = {}
    for name, config in FRONT_ENDS.items():
        written, folder = texts(300, name), root / name.replace(" ", "_")
        folder.mkdir()
        if config.get("use_phonemes"):  # Coqui loses all after a mark at the beginning, if there is no other mark
            written = [f"{text}." for text in written]
        language = config.get("phoneme_language", "en")
        jobs[name] = {"folder": str(folder), "texts": written, "config": config, "language": language}
    run([{"do": "tokenize", **job} for job in jobs.values()], root)
    return {name: (Path(job["folder"]), job["texts"]) for name, job in jobs.items()}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_a_converted_tokenizer_gives_coquis_ids(front_ends, name, changed_letters):
    folder, written = front_ends[name]
    fields = read_fields(folder / "config.json", OWNER)
    rows = len(_symbols(fields, _class(fields))[0])

    tokenizer, notes = tokenizer_of(read_voice(fields), rows)
    tokenizer.save_pretrained(folder / "saved")
    again = VitsTokenizer.from_pretrained(folder / "saved")

    for text, ids in zip(written, json.loads((folder / "ids.json").read_text()), strict=True):
        symbols = set(ids) - {tokenizer.blank_id, *tokenizer._bos_eos_ids()}
        if not symbols:  # nothing in the text that the voice knows
            with pytest.raises(ValueError):
                tokenizer(text)
        else:
            assert tokenizer(text).input_ids == again(text).input_ids == ids, text
