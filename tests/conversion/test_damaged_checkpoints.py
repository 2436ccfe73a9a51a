"""Any damage to a checkpoint ends in a voice or in one error: no traceback, no code run, nothing left half-written."""

import json
import os
import random
import resource
import shutil
import zipfile

import pytest
import torch
from coqui_files import write_voice as write_coqui
from hugging_face_folders import in_pickle, write_prepared
from original_discriminators import Original, stored_as, write_pth
from original_files import tiny_model, write_original
from piper_checkpoints import write_checkpoint
from tiny_voices import SMALLEST

from hf_vits.cli import main
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig

MOST_MEMORY = 400_000
"""KiB that reading a file of some hundred KiB may add to the process, libraries and all."""


def original(folder):
    write_original(folder, tiny_model(**SMALLEST))
    write_pth(folder / "D_7.pth", stored_as(Original(periods=(2,)).state_dict()))
    return folder / "G_7.pth"


def coqui(folder):
    model = tiny_model(**SMALLEST, num_speakers=2, speaker_embedding_size=4, num_languages=2, language_embedding_size=2)
    torch.save({"ada": 0, "bea": 1}, folder / "speakers.pth")
    discriminators = VitsDiscriminator(
        VitsDiscriminatorConfig(periods=[2], period_channels=[2, 4], scale_channels=[2] * 6)
    )
    periods = {"model_args.periods_multi_period_discriminator": [2], "languages": ["en", "fr"]}
    return write_coqui(folder, model, periods, discriminators=discriminators)


def piper_checkpoint(folder):
    return write_checkpoint(folder, tiny_model(**SMALLEST), Original(periods=(2, 3, 5, 7, 11)))


def hugging_face(folder):
    write_prepared(folder / "run", tiny_model(**SMALLEST), Original(periods=(2,)), discriminator_periods=[2])
    return in_pickle(folder / "run") / "pytorch_model.bin"


LAYOUTS = {
    "original": original,
    "coqui": coqui,
    "Piper's checkpoint": piper_checkpoint,
    "finetune-hf-vits": hugging_face,
}


class Hostile:
    """Pickled as a call that would leave a file."""

    def __init__(self, file, function=os.system):
        self.call = function, (f"touch {file}",)

    def __reduce__(self):
        return self.call


def table_of(contents):
    return next((contents[name] for name in ("model", "state_dict") if name in contents), contents)


def rewritten(change):
    """Changes the tensors of a checkpoint that is otherwise sound."""

    def damage(path, config, dice):
        contents = torch.load(path, weights_only=False)
        change(contents, table_of(contents), dice)
        torch.save(contents, path)

    return damage


def truncate(path, config, dice):
    data = path.read_bytes()
    path.write_bytes(data[: dice.randrange(len(data))])


def flip_bits(path, config, dice):
    data = bytearray(path.read_bytes())
    for _ in range(dice.choice([1, 3, 50])):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(bytes(data))


def flip_bits_of_the_pickle(path, config, dice):
    with zipfile.ZipFile(path) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    name = next(name for name in entries if name.endswith("data.pkl"))
    data = bytearray(entries[name])
    for _ in range(3):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, bytes(data) if entry == name else content)


def rename(contents, table, dice):
    name = dice.choice(sorted(table))
    table[name + dice.choice(["_", ".weight", "\n", "9" * 3000])] = table.pop(name)


def drop(contents, table, dice):
    for name in dice.sample(sorted(table), dice.choice([1, 5, len(table)])):
        del table[name]


def swap_shapes(contents, table, dice):
    one, other = dice.sample(sorted(table), 2)
    table[one], table[other] = table[other], table[one]


def reshape(contents, table, dice):
    name = dice.choice(sorted(table))
    shape = dice.choice([(), (0,), (1, 1, 1, 1, 1), (2, 0, 3), (10**7,)])
    table[name] = torch.zeros(()).expand(shape) if 0 not in shape else torch.zeros(shape)


def claim(contents, table, dice):
    """A tensor whose shape is far more than the file holds."""
    name = dice.choice(sorted(table))
    table[name] = torch.as_strided(torch.zeros(4), (10**6, 10**5), (0, 0))


def no_number(contents, table, dice):
    name = dice.choice(sorted(table))
    table[name] = table[name].clone()
    table[name].view(-1)[0] = dice.choice([float("nan"), float("inf")])


def other_kind(contents, table, dice):
    name = dice.choice(sorted(table))
    table[name] = dice.choice([5, None, "x", [1.0], table[name].long(), table[name].to_sparse(), {"a": 1}])


def wrong_json(path, config, dice):
    data = json.loads(config.read_text(encoding="utf-8"))
    places = [data]
    for place in places:
        places += [value for value in place.values() if isinstance(value, dict)]
    place = dice.choice([place for place in places if place])
    place[dice.choice(sorted(place))] = dice.choice(
        [None, -1, 0, 1e308, 10**400, "", "8", True, [], [[]], {}, {"a": {}}, ["x"], [10**12], [0]]
    )
    config.write_text(json.dumps(data), encoding="utf-8")


def broken_json(path, config, dice):
    data = config.read_bytes()
    config.write_bytes(dice.choice([b"", data[: len(data) // 2], b"[" * 200_000, b"\xff\xfe" + data, b"3", b"[]"]))


def bomb(path, config, dice):
    with zipfile.ZipFile(path) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
        archive.writestr("archive/data/999", bytes(50_000_000))


def hostile(contents, table, dice):
    contents["x"] = Hostile(os.environ["LOOT"], dice.choice([os.system, eval, exec, open]))


DAMAGES = {
    "truncated": truncate,
    "bits flipped": flip_bits,
    "bits of the pickle flipped": flip_bits_of_the_pickle,
    "renamed": rewritten(rename),
    "dropped": rewritten(drop),
    "swapped": rewritten(swap_shapes),
    "reshaped": rewritten(reshape),
    "claiming more than there is": rewritten(claim),
    "not numbers": rewritten(no_number),
    "of another kind": rewritten(other_kind),
    "wrong JSON": wrong_json,
    "broken JSON": broken_json,
    "zip bomb": bomb,
    "with code": rewritten(hostile),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """One folder of each layout, not to be changed."""
    folders = {}
    for name, write in LAYOUTS.items():
        folder = tmp_path_factory.mktemp(name)
        folders[name] = folder, write(folder).relative_to(folder)
    return folders


@pytest.mark.thorough(but_every=3)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_ends_in_a_voice_or_in_one_error(layout, damage, sound, tmp_path, capfd, monkeypatch):
    folder, name = sound[layout]
    monkeypatch.setenv("LOOT", str(tmp_path / "loot"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(1):  # tests/fuzz has more, and more kinds
        run = tmp_path / f"run{seed}"
        shutil.copytree(folder, run)
        config = next(file for file in sorted(run.rglob("*.json")))
        DAMAGES[damage](run / name, config, random.Random(f"{layout} {damage} {seed}"))

        code = main(["convert", str(run / name), str(tmp_path / f"out{seed}")])

        said = capfd.readouterr()
        left = [file.name for file in tmp_path.iterdir() if not file.name.startswith("run")]
        assert code in (0, 1) and "Traceback" not in said.err
        assert (f"out{seed}" in left) == (code == 0), said.err
        assert not any("partial" in name or name == "loot" for name in left)
        if code:
            assert said.err.startswith("hf-vits convert: ") and len(said.err) < 3000
            shutil.rmtree(run)
        else:
            assert damage not in ("zip bomb", "with code", "dropped", "not numbers", "claiming more than there is")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY
