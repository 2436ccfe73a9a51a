"""Small voices in every layout that is read here, each with the calls that read it."""

import json

import torch
from coqui_files import write_voice as write_coqui
from hugging_face_folders import in_pickle, write_prepared, write_tokenizer
from original_discriminators import Original, shard, stored_as, write_pth
from original_files import tiny_model, write_original
from piper_checkpoints import write_checkpoint
from piper_files import write_voice as write_piper
from tiny_voices import SMALLEST

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.cli import main
from hf_vits.conversion import convert
from hf_vits.conversion.discriminators import convert_discriminator
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.doctor import examine

DISCRIMINATORS = {"periods": [2], "period_channels": [2, 4], "scale_channels": [2] * 6}


def ours(folder):
    """Write a checkpoint as training does: a voice with discriminators and a tokenizer, with old files too."""
    tiny_model(**SMALLEST, num_speakers=2, speaker_embedding_size=4).save_pretrained(folder)
    write_tokenizer(folder)
    VitsDiscriminator(VitsDiscriminatorConfig(**DISCRIMINATORS)).save_pretrained(folder / "discriminator")
    special = {"pad_token": "_", "unk_token": {"content": "<unk>", "lstrip": False}}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "added_tokens.json").write_text(json.dumps({"<unk>": 20}))
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# A voice\n")
    return folder


def ours_extended(folder):
    """A voice with the fields and the tokenizer that only this package has."""
    voice = write_piper(folder, tiny_model(**SMALLEST))
    convert(voice).save(folder / "voice")
    return folder / "voice"


def in_shards(folder):
    return shard(ours(folder))


def in_shards_of_pickles(folder):
    ours(folder)
    index = json.loads((in_shards(folder) / "model.safetensors.index.json").read_text())
    from safetensors.torch import load_file

    for file in folder.glob("model-*.safetensors"):
        torch.save(load_file(file), folder / f"{file.stem.replace('model', 'pytorch_model')}.bin")
        file.unlink()
    (folder / "model.safetensors.index.json").unlink()
    names = {
        tensor: name.replace("model", "pytorch_model").replace(".safetensors", ".bin")
        for tensor, name in index["weight_map"].items()
    }
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": names}))
    return folder


def pickled(folder):
    return in_pickle(ours(folder))


def original(folder):
    write_original(folder, tiny_model(**SMALLEST))
    write_pth(folder / "D_7.pth", stored_as(Original(periods=(2,)).state_dict()))
    return folder / "G_7.pth"


def mms(folder):
    write_original(folder, tiny_model(**SMALLEST), text_cleaners=[], training_files="train.uroman")
    (folder / "vocab.txt").write_text("\n".join("_abcdefghijklmnopqrs"), encoding="utf-8")
    return folder / "G_7.pth"


def coqui(folder):
    model = tiny_model(**SMALLEST, num_speakers=2, speaker_embedding_size=4, num_languages=2, language_embedding_size=2)
    torch.save({"ada": 0, "bea": 1}, folder / "speakers.pth")
    (folder / "language_ids.json").write_text(json.dumps({"en": 0, "fr": 1}))
    discriminators = VitsDiscriminator(VitsDiscriminatorConfig(**DISCRIMINATORS))
    return write_coqui(
        folder, model, {"model_args.periods_multi_period_discriminator": [2]}, discriminators=discriminators
    )


def coqui_vectors(folder):
    """A network that takes the vectors of its speakers from a file."""
    model = tiny_model(**SMALLEST, num_speakers=2, speaker_embedding_size=4)
    vectors = {f"{name}{i}": {"name": name, "embedding": [1.0, 2.0, 3.0, i]} for name in ("ada", "bea") for i in (1, 2)}
    torch.save(vectors, folder / "d_vectors.pth")
    voice = write_coqui(folder, model)
    contents = torch.load(voice)
    del contents["model"]["emb_g.weight"]
    torch.save(contents, voice)
    return voice


def piper(folder):
    return write_piper(folder, tiny_model(**SMALLEST, num_speakers=2, speaker_embedding_size=4))


def piper_checkpoint(folder):
    return write_checkpoint(folder, tiny_model(**SMALLEST), Original(periods=(2, 3, 5, 7, 11)))


def fine_tuner(folder):
    write_prepared(folder, tiny_model(**SMALLEST), Original(periods=(2,)), discriminator_periods=[2])
    return folder


def speak(model):
    """The waveform of a few ids."""
    ids = torch.tensor([[0, 1, 0, 2, 0]]) % model.config.vocab_size
    return model(ids, speaker_id=0 if model.config.num_speakers > 1 else None, speaking_rate=4.0)


def command(*words):
    """Runs `hf-vits`; what it says of an error is checked by the caller."""
    return main([str(word) for word in words])


FOLDER = {
    "model": lambda path, out: VitsModel.from_pretrained(path),
    "tokenizer": lambda path, out: VitsTokenizer.from_pretrained(path),
    "doctor": lambda path, out: examine(path),
    "doctor, command": lambda path, out: command("doctor", path),
    "convert": lambda path, out: convert(path),
    "convert, command": lambda path, out: command("convert", path, out),
    "discriminators": lambda path, out: VitsDiscriminator.from_pretrained(path / "discriminator"),
    "discriminators, subfolder": lambda path, out: VitsDiscriminator.from_pretrained(path, subfolder="discriminator"),
    "discriminators, converted": lambda path, out: convert_discriminator(path),
}
FILE = {
    "convert": lambda path, out: convert(path),
    "convert, command": lambda path, out: command("convert", path, out),
    "convert, folder": lambda path, out: convert(path.parent),
    "doctor": lambda path, out: examine(path),
    "doctor, folder": lambda path, out: examine(path.parent),
    "discriminators": lambda path, out: convert_discriminator(path),
}
VOICES = {
    **{make.__name__: (make, FOLDER) for make in (ours, ours_extended, in_shards, in_shards_of_pickles, pickled)},
    **{make.__name__: (make, FOLDER) for make in (fine_tuner,)},
    **{make.__name__: (make, FILE) for make in (original, mms, coqui, coqui_vectors, piper, piper_checkpoint)},
}
