"""A merged voice is on the line between two: at its ends they themselves, bit by bit, and nothing else is merged."""

import json
import shutil

import pytest
import torch
from huggingface_hub import ModelCard, ModelCardData

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.cli import main
from hf_vits.conversion.merging import merge_voices
from hf_vits.modeling_vits import add_training_modules

LICENSES = {"license": "cc-by-4.0"}


@pytest.fixture
def voices(make_model, make_tokenizer, tmp_path):
    """Folders of a voice, and of one with other weights, speaking rate and name."""
    base = make_model()
    base.save_pretrained(tmp_path / "base")
    with torch.no_grad():
        for parameter in base.parameters():
            source = torch.Generator().manual_seed(parameter.numel())
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=source))  # the difference has rounding
    base.config.speaking_rate = 0.9
    base.save_pretrained(tmp_path / "tuned")
    for name in ("base", "tuned"):
        make_tokenizer().save_pretrained(tmp_path / name)
    return tmp_path / "base", tmp_path / "tuned"


@pytest.fixture
def merged(voices, tmp_path):
    def merge(weights, **options):
        folder = merge_voices(*voices, tmp_path / "merged", weights, overwrite=True, **options)
        return VitsModel.from_pretrained(folder).state_dict()

    return merge


def state(folder):
    return VitsModel.from_pretrained(folder).state_dict()


@pytest.mark.parametrize(("weight", "end"), [(0, 0), (1.0, 1)])
def test_at_both_ends_the_weights_are_bitwise_those_of_a_voice(voices, merged, weight, end):
    expected = state(voices[end])
    for name, tensor in merged(weight).items():
        assert torch.equal(tensor, expected[name]), name


def test_between_the_ends_weights_are_on_the_line(voices, merged):
    base, tuned = map(state, voices)
    for name, tensor in merged(0.25).items():
        torch.testing.assert_close(tensor.double(), 0.75 * base[name].double() + 0.25 * tuned[name].double())


def test_each_module_has_its_weight_and_the_others_are_the_tuned_voices(voices, merged):
    base, tuned = map(state, voices)
    for name, tensor in merged({"decoder": 0.5, "decoder.conv_post": 0, "flow": 0.0}).items():
        if name.startswith("decoder.") and not name.startswith("decoder.conv_post."):
            torch.testing.assert_close(tensor, (base[name] + tuned[name]) / 2)
        else:
            expected = base if name.startswith(("flow.", "decoder.conv_post.")) else tuned
            assert torch.equal(tensor, expected[name]), name


def test_a_base_without_what_only_training_uses_leaves_that_to_the_tuned_voice(make_model, make_tokenizer, tmp_path):
    base = make_model(inference_only=True)
    base.save_pretrained(tmp_path / "base")
    add_training_modules(base)[0].save_pretrained(tmp_path / "tuned")
    for name in ("base", "tuned"):
        make_tokenizer().save_pretrained(tmp_path / name)
    folder = merge_voices(tmp_path / "base", tmp_path / "tuned", tmp_path / "merged", 0)
    ours, tuned = state(folder), state(tmp_path / "tuned")
    assert ours.keys() == tuned.keys()
    assert all(torch.equal(tensor, tuned[name]) for name, tensor in ours.items() if name.startswith("posterior"))


def test_the_rate_and_the_tokenizer_are_the_tuned_voices_and_the_card_says_what_was_done(voices, tmp_path):
    folder = merge_voices(*voices, tmp_path / "merged", {"flow": 0.5})
    assert json.loads((folder / "config.json").read_text())["speaking_rate"] == 0.9
    assert VitsTokenizer.from_pretrained(folder).get_vocab() == VitsTokenizer.from_pretrained(voices[1]).get_vocab()
    card = (folder / "README.md").read_text()
    assert "`base` and `tuned`" in card and "in flow: 0.5." in card and "in all other modules: 1." in card
    assert "## Merging" in card and "add that of the voice it was made from" in card


@pytest.mark.parametrize(
    ("first", "second", "expected", "words"),
    [
        ("cc-by-4.0", "cc-by-4.0", "cc-by-4.0", "cc-by-4.0"),
        ("mit", "cc-by-nc-4.0", "cc-by-nc-4.0", "base has mit; tuned has cc-by-nc-4.0"),
        ("cc-by-nc-sa-4.0", None, "cc-by-nc-sa-4.0", "tuned has unknown"),
        ("mit", "cc-by-4.0", "other", "base has mit; tuned has cc-by-4.0"),
        ("mit", None, None, "Its license is not known here"),
    ],
)
def test_the_license_is_that_of_both_or_the_stricter_one(voices, tmp_path, first, second, expected, words):
    for folder, license in zip(voices, (first, second), strict=True):
        data = ModelCardData(license=license, base_model=["org/joe"], pipeline_tag="text-to-speech")
        ModelCard(f"---\n{data.to_yaml()}\n---\n").save(folder / "README.md")
    folder = merge_voices(*voices, tmp_path / "merged")
    card = ModelCard.load(folder / "README.md")
    assert card.data.license == expected and words in card.text
    assert card.data.base_model == ["org/joe"] or card.data.base_model == "org/joe"
    assert card.data.to_dict()["base_model_relation"] == "merge"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("float16", "bfloat16"),
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in (("float16", "float32"), ("float32", "bfloat16"))),
    ],
)
def test_weights_of_two_types_are_merged_in_the_one_that_holds_both(voices, tmp_path, first, second):
    for folder, name in zip(voices, (first, second), strict=True):
        VitsModel.from_pretrained(folder).to(getattr(torch, name)).save_pretrained(folder)
    base, tuned = (VitsModel.from_pretrained(folder).state_dict() for folder in voices)
    merged = VitsModel.from_pretrained(merge_voices(*voices, tmp_path / "merged", 0.25)).state_dict()
    for name in base.keys() & {key for key, value in tuned.items() if value.is_floating_point()}:
        assert merged[name].dtype == torch.float32
        expected = 0.75 * base[name].float() + 0.25 * tuned[name].float()
        torch.testing.assert_close(merged[name], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop": 1}, "`segment_size` is .* in the base's configuration and 4096 in the other's"),
        ({"vocabulary": 1}, "the token 'a' has the id .* in the base and .* in the other"),
    ],
)
def test_voices_that_do_not_belong_together_are_refused_by_what_differs(voices, tmp_path, change, message):
    base, tuned = voices
    file = tuned / ("vocab.json" if "vocabulary" in change else "config.json")
    table = json.loads(file.read_text())
    if "hop" in change:
        table["segment_size"] = 4096
    if "vocabulary" in change:
        table["a"], table["b"] = table["b"], table["a"]
    file.write_text(json.dumps(table))
    with pytest.raises(ValueError, match=message):
        merge_voices(base, tuned, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (1.5, "The weight is 1.5; it must be a number from 0"),
        ({"flow": -1}, "The weight of 'flow' is -1"),
        ({"flow": True}, "The weight of 'flow' is True"),
        ({"flwo": 0.5}, "`weights` has .'flwo'.*The modules are .*'flow'"),
        (float("nan"), "The weight is nan"),
    ],
)
def test_a_weight_that_is_none_and_a_module_that_does_not_exist_are_errors(voices, tmp_path, weights, message):
    with pytest.raises(ValueError, match=message):
        merge_voices(*voices, tmp_path / "merged", weights)


def test_voices_in_the_wrong_order_are_refused_by_what_a_card_says(voices, tmp_path):
    base, tuned = voices
    (tuned / "README.md").write_text("# tuned\n\nTrained with hf_vits from `base` on `recordings`, 10 steps.\n")
    with pytest.raises(ValueError, match="base, tuned, was trained from base, .*base as base and tuned as the tuned"):
        merge_voices(tuned, base, tmp_path / "merged")
    merge_voices(base, tuned, tmp_path / "merged")


def test_a_tuned_voice_without_what_training_needs_is_doubted(saved_voice, voices, tmp_path, caplog):
    saved_voice(tmp_path / "exported", inference_only=True)
    merge_voices(tmp_path / "exported", voices[1], tmp_path / "merged")
    assert "is the order right" not in caplog.text
    merge_voices(voices[1], tmp_path / "exported", tmp_path / "other")
    assert "is the order right" in caplog.text


def test_neither_voice_is_written_over(voices, tmp_path):
    with pytest.raises(ValueError, match="the source"):
        merge_voices(*voices, voices[1], overwrite=True)
    shutil.copytree(voices[0], tmp_path / "merged")
    with pytest.raises(FileExistsError, match="overwrite"):
        merge_voices(*voices, tmp_path / "merged")


def test_the_command_takes_a_number_or_an_object(voices, tmp_path, capsys):
    arguments = ["merge", *map(str, voices), str(tmp_path / "merged"), "--overwrite"]
    assert main([*arguments, "--weights", '{"flow": 0}']) in (0, None)
    assert str(tmp_path / "merged") in capsys.readouterr().out
    base = state(voices[0])
    assert all(torch.equal(value, base[n]) for n, value in state(tmp_path / "merged").items() if n.startswith("flow."))
    assert main([*arguments, "--weights", "0"]) in (0, None)
    assert all(torch.equal(value, base[name]) for name, value in state(tmp_path / "merged").items())
    with pytest.raises(SystemExit):
        main([*arguments, "--weights", "half"])
    assert "neither a number nor a JSON object" in capsys.readouterr().err
