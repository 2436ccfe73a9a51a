"""Folders of transformers and of finetune-hf-vits become whole voices of the same weights and sound."""

import json
import random
import shutil
from itertools import product

import pytest
import torch
import transformers
from hugging_face_folders import (
    change_config,
    in_old_format,
    in_pickle,
    stock_model,
    write_mid_training,
    write_prepared,
    write_stock,
)
from original_discriminators import Original, stored_as
from original_files import tiny_model
from safetensors.torch import load_file, save_file

from hf_vits import VitsTokenizer
from hf_vits.conversion import convert
from hf_vits.conversion.converted import Converted
from hf_vits.conversion.discriminators import convert_discriminator
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator
from hf_vits.hub.license import origin_of
from hf_vits.modeling_vits import VitsModel
from hf_vits.training.initialization import ModelInitialization

STOCK = {
    "one speaker": {},
    "speakers": {"num_speakers": 4, "speaker_embedding_size": 6},
    "deterministic durations": {"use_stochastic_duration_prediction": False},
}
WAYS = {
    "as saved": ({}, lambda folder: folder),
    "old weight format": ({}, in_old_format),
    "sharded": ({"max_shard_size": "40KB"}, lambda folder: folder),
    "pickled": ({}, in_pickle),
}
WAVEFORM = torch.linspace(-1, 1, 2000).view(1, 1, -1).sin()
IDS = torch.tensor([[0, 5, 0, 7, 0, 2, 0]])


@pytest.fixture
def a_voice(make_model):
    return make_model()


def normed(name):
    coupling = name.startswith("flow.flows.") and ".wavenet." not in name
    return (coupling or name.startswith(("decoder.upsampler", "decoder.resblocks"))) and name.endswith("weight")


def assert_equal(found, expected, folded=lambda name: False):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        if folded(name):  # g v / |v| is not the weight to the last bit
            torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-7)
        else:
            assert torch.equal(found[name], tensor), name


def assert_same_discriminators(folder, theirs):
    ours = VitsDiscriminator.from_pretrained(folder / "discriminator").eval()
    for found, expected in zip(ours(WAVEFORM).features, theirs(WAVEFORM), strict=True):
        for layer, wanted in zip(found, expected, strict=True):
            torch.testing.assert_close(layer, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("way", "kind"), [*product(["as saved"], STOCK), *product([*WAYS][1:], ["speakers"])])
def test_a_stock_folder_keeps_its_weights_and_its_sound(tmp_path, way, kind):
    fields, (options, change) = STOCK[kind], WAYS[way]
    stock = stock_model(**fields)
    source = change(write_stock(tmp_path / "stock", stock, **options))
    if "max_shard_size" in options:
        assert len(list(source.glob("model-*.safetensors"))) > 1

    folder = convert(source).save(tmp_path / "voice")

    ours, again = VitsModel.from_pretrained(folder), transformers.VitsModel.from_pretrained(folder)
    for loaded in (ours, again):
        assert_equal(loaded.state_dict(), stock.state_dict())
    call = {"input_ids": IDS} | ({"speaker_id": 1} if fields.get("num_speakers") else {})
    waveforms = []
    for model in (stock, again, ours):
        model.noise_scale = model.noise_scale_duration = 0.0
        silent = {"noise_scale": 0.0, "noise_scale_duration": 0.0} if model is ours else {}
        waveforms.append(model(**call, **silent).waveform)
    # Equal weights at other places in memory: products of some processors round otherwise.
    torch.testing.assert_close(waveforms[1], waveforms[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(waveforms[2], waveforms[0], rtol=0, atol=1e-5)


def test_half_precision_becomes_single_with_a_note(tmp_path):
    stock = stock_model().half()

    converted = convert(write_stock(tmp_path / "stock", stock))

    weights = stock.state_dict()
    assert all(torch.equal(tensor, weights[name].float()) for name, tensor in converted.state_dict.items())
    assert "Stored as float32: weights of the type float16." in converted.notes


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "pickle"])
def test_names_of_a_folder_may_begin_as_distributed_training_leaves_them(tmp_path, a_voice, pickled):
    folder = write_prepared(tmp_path / "run", a_voice, Original())
    plain = convert(folder)
    tensors = {"module." + name: tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    wrapped = convert(in_pickle(folder) if pickled else folder)

    assert_equal(wrapped.state_dict, plain.state_dict)
    assert_equal(wrapped.discriminator.state_dict, plain.discriminator.state_dict)


def test_the_state_of_training_in_a_file_of_weights_is_noted(tmp_path, a_voice):
    folder = write_stock(tmp_path / "stock", a_voice)
    torch.save({"model": load_file(folder / "model.safetensors"), "epoch": 3, "optimizer": None}, folder / "best.pt")

    notes = convert(folder / "best.pt").notes

    assert "Left out, the state of training beside the weights: epoch." in notes


def test_the_tokenizer_gives_the_same_ids(tmp_path):
    source = write_stock(tmp_path / "stock", stock_model())

    folder = convert(source).save(tmp_path / "voice")

    ids = VitsTokenizer.from_pretrained(folder)("a bad cab").input_ids
    assert ids == transformers.VitsTokenizer.from_pretrained(source)("a bad cab").input_ids


@pytest.mark.parametrize("change", [lambda folder: folder, in_pickle], ids=["safetensors", "pickle"])
def test_a_file_of_weights_stands_for_its_folder(tmp_path, change):
    folder = change(write_stock(tmp_path / "stock", stock_model()))
    file = next(file for file in folder.iterdir() if file.suffix in (".safetensors", ".bin"))

    assert_equal(convert(file).state_dict, convert(folder).state_dict)


def test_a_prepared_folder_is_divided_into_voice_and_discriminators(tmp_path, a_voice):
    theirs = Original()
    source = write_prepared(tmp_path / "train", a_voice, theirs)

    converted = convert(source)

    folder = converted.save(tmp_path / "voice")
    assert_equal(VitsModel.from_pretrained(folder).state_dict(), a_voice.state_dict())
    assert_same_discriminators(folder, theirs)
    start = ModelInitialization.from_pretrained(str(folder))
    assert not start.new_modules and not start.new_parameters
    saved = json.loads((folder / "config.json").read_text())
    assert "segment_size" not in saved and "discriminator_periods" not in saved
    assert any("segment_size" in note for note in converted.notes)
    assert "With its discriminators: training can continue at once." in converted.notes


def test_periods_and_strides_are_those_of_the_configuration(tmp_path, a_voice):
    theirs = Original(periods=(2, 4), scales=0, stride=2)
    fields = {"discriminator_periods": [2, 4], "discriminator_stride": 2, "discriminator_scale_channels": None}

    converted = convert(write_prepared(tmp_path / "train", a_voice, theirs, **fields))

    discriminators = converted.discriminator.config
    assert (list(discriminators.periods), discriminators.period_stride, discriminators.scales) == ([2, 4], 2, 0)
    assert_same_discriminators(converted.save(tmp_path / "voice"), theirs)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "pickle"])
@pytest.mark.parametrize(
    "fields", [{}, {"num_speakers": 4, "speaker_embedding_size": 6}], ids=["one speaker", "speakers"]
)
def test_a_checkpoint_in_the_middle_of_training_is_whole(tmp_path, make_model, fields, pickled):
    model, theirs = make_model(**fields), Original()
    source = write_mid_training(tmp_path / "run", model, theirs, pickled)

    converted = convert(source)

    folder = converted.save(tmp_path / "voice")
    again = VitsModel.from_pretrained(folder)
    assert_equal(again.state_dict(), model.state_dict(), normed)
    call = {"input_ids": IDS, "durations": torch.full((1, 7), 3), "noise_scale": 0.0}
    call |= {"speaker_id": 3} if fields else {}
    torch.testing.assert_close(again(**call).waveform, model(**call).waveform, rtol=0, atol=1e-5)
    assert_same_discriminators(folder, theirs)
    assert VitsTokenizer.from_pretrained(folder)("ab").input_ids == [0, 1, 0, 2, 0]
    notes = "\n".join(converted.notes)
    couplings = 2 * model.config.prior_encoder_num_flows
    layers = couplings + sum(name.startswith("decoder") and normed(name) for name in model.state_dict())
    assert f"Folded, weight norm that only training has in {layers} layers: decoder.resblocks.0" in notes
    assert "optimizer.bin, optimizer_1.bin, random_states_0.pkl, scheduler.bin, scheduler_1.bin." in notes
    assert not any("Assumed" in note for note in converted.notes)  # the configuration one folder up tells


def test_the_weight_format_of_published_voices_is_noted(tmp_path):
    notes = convert(in_old_format(write_stock(tmp_path / "stock", stock_model()))).notes

    # 3 couplings of 2 layers, 2 layers of the posterior encoder, and 2 convolutions in each
    assert any(note.startswith("Converted, weight norm from weight_g and weight_v in 16 layers") for note in notes)
    assert not any(note.startswith(("Folded", "Unfolded")) for note in notes)


def test_a_wavenet_that_lost_its_weight_norm_gets_it_back(tmp_path, a_voice):
    source = write_stock(tmp_path / "folded", a_voice)
    tensors = load_file(source / "model.safetensors")
    layer = "flow.flows.0.wavenet.in_layers.0"
    g, v = (tensors.pop(f"{layer}.parametrizations.weight.original{number}") for number in (0, 1))
    tensors[layer + ".weight"] = torch._weight_norm(v, g, 0)
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})

    converted = convert(source)

    found = dict(converted.model().named_modules())[layer].weight
    torch.testing.assert_close(found, tensors[layer + ".weight"])
    assert f"Unfolded, weights that had lost their weight norm in 1 layers: {layer}." in converted.notes


def test_lost_names_of_speakers_and_a_speaker_too_many_are_noted(tmp_path, make_model):
    model = make_model(num_speakers=4, speaker_embedding_size=6)

    stock = convert(write_stock(tmp_path / "stock", model)).notes
    tuned = convert(write_prepared(tmp_path / "train", model, Original())).notes

    assert any("names of its 4 speakers are not in these files" in note for note in stock)
    assert not any("even" in note for note in stock)
    assert any("makes the number of speakers even" in note for note in tuned)


def test_names_of_speakers_are_kept(tmp_path, make_model, speakers):
    converted = convert(write_stock(tmp_path / "ours", make_model(**speakers)))

    assert list(converted.config.speaker_names) == speakers["speaker_names"]
    assert not any("names of its" in note for note in converted.notes)


def test_our_own_folders_are_read_too(tmp_path, make_model):
    model, theirs = make_model(resblock_type="2"), Original()
    torch.save(stored_as(theirs.state_dict()), tmp_path / "D.pth")
    first = write_stock(tmp_path / "ours", model)
    convert_discriminator(tmp_path / "D.pth").save_pretrained(first / "discriminator")

    converted = convert(first)

    assert_equal(converted.state_dict, model.state_dict())
    assert_same_discriminators(converted.save(tmp_path / "voice"), theirs)
    assert json.loads((tmp_path / "voice" / "config.json").read_text())["model_type"] == "hf_vits"


def test_weights_without_a_posterior_encoder_can_speak_and_the_note_says_so(tmp_path, a_voice):
    source = write_stock(tmp_path / "small", a_voice)
    tensors = load_file(source / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("posterior_encoder.")}
    save_file(kept, source / "model.safetensors", metadata={"format": "pt"})

    converted = convert(source)

    assert converted.config.inference_only
    assert any(note.startswith("It can speak but not be trained") for note in converted.notes)
    assert any(note.startswith("Left out, used in training only: duration_predictor.") for note in converted.notes)


def test_discriminators_that_are_given_take_the_place_of_its_own(tmp_path, a_voice):
    others = Original(seed=1)
    torch.save(stored_as(others.state_dict()), tmp_path / "D.pth")
    source = write_prepared(tmp_path / "train", a_voice, Original())

    converted = convert(source, discriminator=tmp_path / "D.pth")

    assert_same_discriminators(converted.save(tmp_path / "voice"), others)
    assert "Left out, its own discriminators: others were given." in converted.notes


def test_a_folder_without_a_tokenizer_gives_a_voice_without_one_and_says_so(tmp_path, a_voice):
    a_voice.save_pretrained(tmp_path / "bare")

    converted = convert(tmp_path / "bare")

    assert converted.tokenizer is None
    assert any("It has no tokenizer, without which it cannot speak a text: put vocab" in n for n in converted.notes)


def test_a_license_in_the_card_is_kept(tmp_path, a_voice):
    source = write_stock(tmp_path / "stock", a_voice)
    (source / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A voice\n")

    converted = convert(source)

    assert converted.origin.license == "cc-by-nc-4.0"
    assert any("cc-by-nc-4.0" in note for note in converted.notes)


def test_a_card_s_license_by_another_name_and_its_base_go_into_the_new_card(tmp_path, a_voice):
    source = write_stock(tmp_path / "stock", a_voice)
    metadata = (
        "license: other\nlicense_name: ours\nlicense_link: https://example.org/l\nbase_model: org/base\nlanguage: de"  # noqa: E501
    )
    (source / "README.md").write_text(f"---\n{metadata}\n---\n# A voice\n")

    convert(source).save(tmp_path / "voice")

    origin = origin_of(str(tmp_path / "voice"))
    assert (origin.license, origin.license_name, origin.license_link) == ("other", "ours", "https://example.org/l")
    assert (origin.on_hub, origin.language) == (["org/base"], ["de"])


def test_without_a_card_the_name_in_the_configuration_tells_that_it_is_of_mms(tmp_path, a_voice):
    source = write_stock(tmp_path / "stock", a_voice)
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"_name_or_path": "facebook/mms-tts-deu"}))

    convert(source).save(tmp_path / "voice")

    assert origin_of(str(tmp_path / "voice")).is_non_commercial


def test_an_output_folder_without_weights_names_its_checkpoints(tmp_path, a_voice):
    write_mid_training(tmp_path / "run", a_voice, Original())
    shutil.copytree(tmp_path / "run" / "checkpoint-50", tmp_path / "run" / "checkpoint-100")

    with pytest.raises(ValueError, match="Give one of its checkpoints: checkpoint-50, checkpoint-100"):
        convert(tmp_path / "run")


def test_a_checkpoint_without_a_configuration_says_where_it_is(tmp_path, a_voice):
    source = write_mid_training(tmp_path / "run", a_voice, Original())
    config = (tmp_path / "run" / "config.json").rename(tmp_path / "elsewhere.json")
    with pytest.raises(FileNotFoundError, match="checkpoint-50/config.json or .*run/config.json.*--config"):
        convert(source)

    assert_equal(convert(source, config=config).state_dict, a_voice.state_dict(), normed)


def with_tensors(change):
    def apply(folder):
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    return apply


def with_fields(**fields):
    return lambda folder: change_config(folder, **fields)


def with_file(name, content):
    return lambda folder: (folder / name).write_text(content)


def twice(tensors):
    layer = "flow.flows.0.wavenet.in_layers.0"
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        tensors[f"{layer}.{old}"] = tensors[f"{layer}.parametrizations.weight.{new}"].clone()


EMBEDDING = "text_encoder.embed_tokens.weight"
DISCRIMINATOR = "discriminator.discriminators.1"
DAMAGES = {
    "renamed": (with_tensors(lambda t: t.update({"text_encoder.embed.weight": t.pop(EMBEDDING)})), "1 missing"),
    "lost": (with_tensors(lambda t: t.pop("decoder.conv_post.weight")), "1 missing: decoder.conv_post.weight"),
    "swapped shape": (with_tensors(lambda t: t.update({EMBEDDING: t[EMBEDDING].T.contiguous()})), "not \\(20, 12\\)"),
    "not a number": (with_tensors(lambda t: t[EMBEDDING].fill_(float("inf"))), "holds NaN or infinity"),
    "whole numbers": (with_tensors(lambda t: t.update({EMBEDDING: t[EMBEDDING].long()})), "torch.int64"),
    "one layer twice": (with_tensors(twice), "stored in both formats"),
    "another model": (with_fields(model_type="bert"), "`model_type` in .* is 'bert'"),
    "no type": (with_fields(model_type=None), "`model_type` in .* is 'None'"),
    "type that is a list": (with_fields(model_type=["vits"]), "`model_type`"),
    "size that is text": (with_fields(hidden_size="16"), "does not describe a VITS voice.*hidden_size"),
    "rates that are a number": (with_fields(upsample_rates=4), "does not describe a VITS voice.*upsample_rates"),
    "rates of another length": (with_fields(upsample_rates=[4]), "must have the same number"),
    "null size": (with_fields(hidden_size=None), "does not describe a VITS voice"),
    "negative size": (with_fields(vocab_size=-1), "vocab_size"),
    "huge size": (with_fields(vocab_size=2**40), "not \\(1099511627776, 12\\)|damaged"),
    "another hop length": (with_fields(hop_length=9), "`hop_length` is 9"),
    "configuration that is no JSON": (with_file("config.json", "{"), "config.json is not JSON"),
    "configuration that is a list": (with_file("config.json", "[]"), "not a JSON object"),
    "endless configuration": (with_file("config.json", "[" * 100_000), "config.json is not JSON"),
    "vocabulary that is no JSON": (with_file("vocab.json", "{"), "vocab.json"),
    "vocabulary of another voice": (with_file("vocab.json", json.dumps({"_": 0, "a": 20})), "id 20, .* ids 0 to 19"),
    "tokenizer that is no JSON": (with_file("tokenizer_config.json", "{"), "tokenizer_config.json"),
    "tokenizer that is a list": (with_file("tokenizer_config.json", "[]"), "tokenizer_config.json|damaged"),
    "tokenizer of odd options": (with_file("tokenizer_config.json", '{"blank_token": "xx"}'), "blank_token"),
    "language that is a list": (
        with_file("tokenizer_config.json", '{"language": ["hin"]}'),
        r"stock'.* cannot be used. `language` is \['hin'\]; it must be a name",
    ),
    "flag that is text": (with_file("tokenizer_config.json", '{"phonemize": ""}'), "`phonemize` is ''.*true or false"),
    "weights that are none": (with_file("model.safetensors", "x"), "not a readable file of tensors"),
}


DISCRIMINATOR_DAMAGES = {
    "a discriminator's layer lost": (
        with_tensors(lambda t: t.pop(f"{DISCRIMINATOR}.convs.2.weight")),
        "convs.2|damaged",
    ),
    "a discriminator of another name": (
        with_tensors(lambda t: t.update({"discriminator.extra.weight": torch.ones(2)})),
        "discriminator.extra.weight",
    ),
    "periods that are text": (with_fields(discriminator_periods="2"), "discriminator_periods"),
    "another slope": (with_fields(leaky_relu_slope=0.3), "leaky_relu_slope"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """To be copied, as the next one."""
    return write_stock(tmp_path_factory.mktemp("plain") / "stock", tiny_model())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("prepared") / "train", tiny_model(), Original())


@pytest.fixture
def copied(plain, tmp_path):
    return shutil.copytree(plain, tmp_path / "stock")


@pytest.mark.parametrize(("change", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_one_error_and_makes_no_folder(copied, tmp_path, change, message):
    change(copied)

    with pytest.raises(ValueError, match=message):
        convert(copied).save(tmp_path / "voice")
    assert not (tmp_path / "voice").exists()


@pytest.mark.parametrize(("change", "message"), DISCRIMINATOR_DAMAGES.values(), ids=DISCRIMINATOR_DAMAGES)
def test_damaged_discriminators_are_one_error_and_make_no_folder(prepared, tmp_path, change, message):
    change(shutil.copytree(prepared, tmp_path / "train"))

    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "train").save(tmp_path / "voice")
    assert not (tmp_path / "voice").exists()


def test_code_in_a_pickle_is_not_run(copied, tmp_path):
    class Call:
        def __reduce__(self):
            return open, (str(tmp_path / "loot"), "w")

    (copied / "model.safetensors").unlink()
    torch.save({"a": Call()}, copied / "pytorch_model.bin")

    with pytest.raises(ValueError, match="code that is not run"):
        convert(copied)
    assert not (tmp_path / "loot").exists()


def test_flipped_bytes_of_text_files_give_a_voice_or_one_error(copied):
    chance, outcomes = random.Random(0), {True: 0, False: 0}
    files = [copied / name for name in ("config.json", "vocab.json", "tokenizer_config.json")]
    for _ in range(20):
        file = chance.choice(files)
        whole = file.read_bytes()
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        file.write_bytes(damaged)
        try:
            found = convert(copied)
        except ValueError as error:
            assert str(error)
            found = None
        assert found is None or isinstance(found, Converted)
        outcomes[found is not None] += 1
        file.write_bytes(whole)
    assert all(outcomes.values())
