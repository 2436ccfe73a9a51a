"""Ways to damage one file of a voice, each a function of the file and of chance that says what it did."""

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file, save_file

LARGE = 10**400
VALUES = [
    *(None, True, False, 0, 1, -1, 2, 3.0, 0.5, -0.5, 1e308, 1e-308, 2**31, 2**63, 10**30, LARGE, float("nan")),
    *(float("inf"), "", "1", "x", "\ud800", "\0", "é" * 3000, "../../x", "/dev/zero", [], [0], [1, 2], ["x"]),
    *([[1.0, 3.5]], [[True]], [[]], [[[1]]], [None], [1] * 5000, {}, {"a": 1}, {"0": "x"}, {"content": 5}, {"1": []}),
]
TEXTS = [
    *(
        b"",
        b"null",
        b"3",
        b'"x"',
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ),
    *(b'{"a":' * 900 + b"1" + b"}" * 900, b"[NaN]", b'{"a": 1e999}', b"9" * 5000, b'{"a": [' + b"1," * 50_000 + b"1]}"),
]


class Code:
    """Makes a file when it is unpickled."""

    def __init__(self, loot):
        self.loot = loot

    def __reduce__(self):
        return os.mkdir, (self.loot,)


def places(table):
    """Every table and list within a table, itself first."""
    found = [table]
    for place in found:
        inner = place.values() if isinstance(place, dict) else place
        found += [value for value in inner if isinstance(value, dict | list) and value]
    return found


def json_value(file: Path, chance: Random) -> str:
    table = json.loads(file.read_text(encoding="utf-8"))
    for _ in range(chance.choice([1, 1, 1, 3])):
        place = chance.choice(places(table)) if isinstance(table, dict | list) and table else None
        if not place:
            break
        key = chance.choice(sorted(place, key=str)) if isinstance(place, dict) else chance.randrange(len(place))
        place[key] = value = chance.choice(VALUES)
    file.write_text(json.dumps(table))
    return f"{key!r:.60}: {value!r:.60}"


def json_field(file: Path, chance: Random) -> str:
    """A field that nobody expects there, and that a library may act on."""
    table = json.loads(file.read_text(encoding="utf-8"))
    names = (
        *("added_tokens_decoder", "extra_special_tokens", "additional_special_tokens", "model_specific_special_tokens"),
        *("init_inputs", "vocab_file", "chat_template", "auto_map", "quantization_config", "dtype", "torch_dtype"),
        *("architectures", "id2label", "num_labels", "label2id", "configuration_files", "model_max_length", "name"),
        *(
            "blank_token",
            "pad_token",
            "unk_token",
            "bos_token",
            "padding_side",
            "fast_tokenizer_files",
            "tokenizer_class",
        ),
        *("_attn_implementation", "attn_implementation", "tie_word_embeddings", "base_model_tp_plan", "return_dict"),
        *(
            "output_attentions",
            "problem_type",
            "transformers_version",
            "_name_or_path",
            "name_or_path",
            "speaker_names",
        ),
        *(
            "self",
            "config",
            "cls",
            "hop_length",
            "use_return_dict",
            "weight_map",
            "backend",
            "added_tokens",
            "files_loaded",
        ),
        *("language_names", "num_languages", "language_embedding_size", "text_size", "is_local", "from_slow"),
    )
    name, value = chance.choice(names), chance.choice(VALUES)
    if isinstance(table, dict):
        table[name] = value
    file.write_text(json.dumps(table))
    return f"{name}: {value!r:.60}"


def json_dropped(file: Path, chance: Random) -> str:
    table = json.loads(file.read_text(encoding="utf-8"))
    place = chance.choice([place for place in places(table) if isinstance(place, dict)] or [{}])
    for key in chance.sample(sorted(place), min(len(place), chance.choice([1, 3, len(place)]))):
        del place[key]
    file.write_text(json.dumps(table))
    return "some fields"


def json_repeated(file: Path, chance: Random) -> str:
    text = file.read_text(encoding="utf-8").strip()
    table = json.loads(text)
    if isinstance(table, dict) and table:
        key = chance.choice(sorted(table))
        file.write_text(f"{text[:-1]}, {json.dumps(key)}: {json.dumps(chance.choice(VALUES))}}}")
    return "a key twice"


def text(file: Path, chance: Random) -> str:
    file.write_bytes(content := chance.choice(TEXTS))
    return f"{content[:20]!r}"


def bits(file: Path, chance: Random) -> str:
    data = bytearray(file.read_bytes())
    for _ in range(chance.choice([1, 3, 50])):
        data[chance.randrange(min(len(data), chance.choice([64, 4096, 10**9])))] ^= 1 << chance.randrange(8)
    file.write_bytes(bytes(data))
    return "bits"


def cut(file: Path, chance: Random) -> str:
    data = file.read_bytes()
    file.write_bytes(data[: chance.randrange(len(data))])
    return "cut off"


def kind(file: Path, chance: Random) -> str:
    """Something else of that name than a file."""
    what = chance.choice(["gone", "pipe", "folder", "circle", "dangling", "device", "random device", "hole", "parent"])
    file.unlink()
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "hole":
        file.touch()
        os.truncate(file, 2**40)
    elif what != "gone":
        targets = {"circle": file.name, "dangling": "nowhere", "device": "/dev/zero", "parent": ".."}
        file.symlink_to(targets.get(what, "/dev/random"))
    return what


def swapped(file: Path, chance: Random) -> str:
    others = [other for other in sorted(file.parent.rglob("*")) if other.is_file() and other != file]
    if not others:
        return "nothing"
    other = chance.choice(others)
    data = other.read_bytes()
    other.write_bytes(file.read_bytes())
    file.write_bytes(data)
    return f"with {other.name}"


def odd_tensor(tensor: torch.Tensor, chance: Random):
    """The tensor in another form, or something that is none."""
    flat = tensor.detach().float().contiguous()
    forms: list[Callable] = [
        lambda: flat.to("meta"),
        lambda: flat.to_sparse(),
        lambda: torch.quantize_per_tensor(flat, 0.1, 0, torch.qint8),
        lambda: flat.to(torch.complex64),
        lambda: flat.double(),
        lambda: flat.half(),
        lambda: flat.to(torch.bfloat16),
        lambda: flat.to(torch.int64),
        lambda: flat > 0,
        lambda: flat * float("nan"),
        lambda: torch.zeros_like(flat),
        lambda: torch.full_like(flat, 1e38),
        lambda: torch.zeros((0, *flat.shape[1:])),
        lambda: torch.zeros(()),
        lambda: flat[None],
        lambda: flat.flatten(),
        lambda: torch.zeros(()).expand(10**6, 10**6),
        lambda: torch.zeros(1).expand(2**40),
        lambda: flat.transpose(0, -1) if flat.dim() else flat,
        lambda: torch.nn.Parameter(flat),
        lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        lambda: 5,
        lambda: None,
        lambda: "x",
        lambda: [1.0, "x"],
        lambda: {"a": flat},
        lambda: b"x" * 100,
    ]
    return chance.choice(forms)()


def safe_tensor(file: Path, chance: Random) -> str:
    tensors = load_file(file)
    name = chance.choice(sorted(tensors))
    odd = odd_tensor(tensors[name], chance)
    fits = isinstance(odd, torch.Tensor) and odd.layout == torch.strided and odd.device.type == "cpu"
    tensors[name] = odd.contiguous() if fits and not odd.is_quantized and odd.numel() < 10**6 else torch.zeros(3, 1)
    if chance.random() < 0.3:
        tensors[name + chance.choice(["x", ".weight", "_g", "9" * 100])] = tensors.pop(name)
    save_file(tensors, file, metadata={"format": chance.choice(["pt", "tf", "x"])})
    return f"{name} {type(odd).__name__}"


def safe_header(file: Path, chance: Random) -> str:
    """Shapes, types and places that the header claims."""
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    name = chance.choice([name for name in header if name != "__metadata__"])
    field = chance.choice(["dtype", "shape", "data_offsets"])
    values = {
        "dtype": ["I64", "BOOL", "F64", "C64", "F4", "X", 5, None],
        "shape": [[], [0], [-1], [2**62], [2**31, 2**31, 4], ["x"], None, 3],
        "data_offsets": [[0, 2**62], [5, 1], [0, 0], [-1, 3], None],
    }
    header[name][field] = chance.choice(values[field])
    head = json.dumps(header).encode()
    length = chance.choice([len(head)] * 5 + [2**40, 2**63, 0, 99_000_000])
    file.write_bytes(struct.pack("<Q", length) + head + rest)
    return f"{name}.{field}"


def table_of(contents):
    """The table of weights of a checkpoint."""
    if not isinstance(contents, dict):
        return {}
    return next((contents[name] for name in ("model", "state_dict") if isinstance(contents.get(name), dict)), contents)


def pickled(file: Path, chance: Random) -> str:
    """Other values in a checkpoint that PyTorch can read."""
    contents = torch.load(file, weights_only=False, map_location="cpu")
    table = table_of(contents)
    what = chance.choice(["tensor"] * 6 + ["entry", "code", "list", "names", "rename", "drop", "old"])
    name = chance.choice(sorted(table, key=str)) if table else "x"
    if what == "tensor" and isinstance(table.get(name), torch.Tensor):
        table[name] = odd_tensor(table[name], chance)
    elif what == "entry":
        contents[chance.choice([*map(str, contents), "x", "config", "hyper_parameters"])] = chance.choice(VALUES)
    elif what == "code":
        contents["x"] = Code(str(file.parent / "LOOT"))
    elif what == "list":
        contents = [contents]
    elif what == "names":
        table[chance.choice([5, None, ("a", "b"), 1.5, b"x", "", "\ud800", "\n", "a" * 10**5])] = table.pop(name)
    elif what == "rename":
        table[name + chance.choice(["x", ".weight", "9" * 3000])] = table.pop(name)
    elif what == "drop":
        for lost in chance.sample(sorted(table, key=str), chance.choice([1, len(table)])):
            del table[lost]
    torch.save(contents, file, _use_new_zipfile_serialization=what != "old")
    return f"{what} {name:.60}"


def plain_pickle(file: Path, chance: Random) -> str:
    """Not PyTorch's pickle, but any."""
    value = chance.choice([Code(str(file.parent / "LOOT")), {"a": 1}, bytearray(10), [1, 2], 10**1000, {1, 2}])
    file.write_bytes(pickle.dumps(value, protocol=chance.choice([0, 2, 4, 5])))
    return type(value).__name__


def archive(file: Path, chance: Random) -> str:
    """Bombs, entries that are missing or twice, a pickle that asks for memory."""
    with zipfile.ZipFile(file) as read:
        entries = {name: read.read(name) for name in read.namelist()}
    what = chance.choice(["bomb", "missing", "byteorder", "version", "memory", "long", "bits"])
    root, method = next(iter(entries)).split("/")[0], zipfile.ZIP_STORED
    main = next(name for name in entries if name.endswith("data.pkl"))
    if what == "bomb":
        method, entries[f"{root}/data/999"] = zipfile.ZIP_DEFLATED, bytes(20_000_000)
    elif what == "missing":
        del entries[chance.choice(sorted(entries))]
    elif what == "byteorder":
        entries[f"{root}/byteorder"] = chance.choice([b"big", b"x", b""])
    elif what == "version":
        entries[f"{root}/version"] = chance.choice([b"999\n", b"x", b""])
    elif what == "memory":
        entries[main] = b"\x80\x02cbuiltins\nbytearray\n(J" + struct.pack("<i", 2_000_000_000) + b"tR."
    elif what == "long":
        entries[main] = b"\x80\x02" + b"(" * 100_000 + b"l" * 100_000 + b"."
    else:
        data = bytearray(entries[main])
        for _ in range(3):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        entries[main] = bytes(data)
    with zipfile.ZipFile(file, "w", method) as written:
        for name, data in entries.items():
            written.writestr(name, data)
    return what


def shards(file: Path, chance: Random) -> str:
    """The places that an index of shards names."""
    table = json.loads(file.read_text())
    places = table["weight_map"]
    name = chance.choice(sorted(places))
    wrong = [
        "/dev/zero",
        "../secret",
        "pipe",
        "circle",
        "folder",
        "config.json",
        "",
        ".",
        "a\0b",
        5,
        None,
        [],
        "x" * 5000,
    ]
    places[name] = chance.choice(wrong)
    os.mkfifo(file.parent / "pipe")
    (file.parent / "circle").symlink_to("circle")
    (file.parent / "folder").mkdir()
    file.write_text(json.dumps(table))
    return f"{places[name]!r:.40}"


ANY = (text, bits, cut, kind, kind, swapped)
BY_SUFFIX = {
    ".json": (
        *ANY,
        json_value,
        json_value,
        json_value,
        json_value,
        json_field,
        json_field,
        json_dropped,
        json_repeated,
    ),
    ".safetensors": (*ANY, safe_tensor, safe_tensor, safe_tensor, safe_header, safe_header),
    **dict.fromkeys(
        (".pth", ".bin", ".ckpt"), (*ANY, pickled, pickled, pickled, pickled, plain_pickle, archive, archive)
    ),
}


def damage(folder: Path, chance: Random) -> str:
    """Damages one file of the folder in one way, and says how."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "generation_config.json")
    file = chance.choice([file for file in files if file.suffix == ".json"] if chance.random() < 0.5 else files)
    ways = BY_SUFFIX.get(file.suffix, ANY)
    if file.name.endswith(".index.json"):
        ways = (*ways, *[shards] * 10)
    way = chance.choice(ways)
    try:
        said = way(file, chance)
    except (ValueError, RuntimeError, TypeError, NotImplementedError) as error:  # chance chose what cannot be written
        file.write_bytes(b"")
        said = f"not written ({type(error).__name__}), so empty"
    return f"{file.relative_to(folder)}: {way.__name__}, {said}"
