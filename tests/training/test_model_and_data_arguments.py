"""Names in a file become a voice, discriminator, tokenizer and data that fit each other."""

import itertools
import logging
from pathlib import Path

import pytest
import torch

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.data.columns import speakers_of
from hf_vits.training import ModelAndDataArguments, ModelInitialization, read_folder
from hf_vits.training.completed_base import Completion
from hf_vits.training.own_speech import OwnSpeech

pytest.importorskip("datasets")
WHO = ["10", "9", "zoe"]


@pytest.fixture
def make_folder(make_data, tmp_path):
    """A folder of recordings, with a column of speakers if any are given."""

    def make(speakers=None, clips=6):
        header = "file_name,text" + (",who" if speakers else "")
        lines = [header]
        for number, row in enumerate(make_data(clips)):
            (tmp_path / f"{number}.wav").write_bytes(row["audio"]["bytes"])
            lines.append(f"{number}.wav,{row['text']}" + (f",{speakers[number % len(speakers)]}" if speakers else ""))
        (tmp_path / "metadata.csv").write_text("\n".join(lines))
        return str(tmp_path)

    return make


@pytest.fixture
def fields(make_start):
    """A tiny configuration, as it stands in a JSON file, without what the texts decide."""
    given = make_start().model.config.to_diff_dict()
    return {name: value for name, value in given.items() if name not in ("vocab_size", "model_type")}


@pytest.fixture
def trainer_of(make_settings, fields):
    def make(folder, model_config=None, **names):
        if "model_name_or_path" not in names:
            given = {**fields, **(model_config or {})}
            names = {"model_config": given, "tokenizer_options": '{"phonemize": false}', **names}
        return ModelAndDataArguments(dataset_name=folder, **names).build_trainer(
            make_settings(discriminator_channel_multiplier=0.02)
        )

    return make


def test_a_new_voice_has_the_given_fields_the_texts_symbols_and_the_papers_rest(make_folder, trainer_of):
    trainer = trainer_of(make_folder(), {"hidden_size": 12})
    config, vocabulary = trainer.output_model.config, trainer.processing_class.get_vocab()
    assert (config.hidden_size, config.sampling_rate, config.noise_scale) == (12, 2000, 0.667)
    assert set(vocabulary) - {"_", "<unk>"} == set("a hopecabbagefeed meno.")
    assert config.vocab_size == max(vocabulary.values()) + 1
    assert (
        trainer.filter_report.kept == 6
        and not trainer.filter_report.unknown_characters
        and not trainer.initialization.new_modules
    )
    assert list(trainer.initialization.discriminator.config.period_channels) == [4, 4, 12, 20, 20]


def test_new_discriminators_are_those_that_were_described(make_folder, trainer_of):
    discriminator = trainer_of(
        make_folder(), discriminator_config={"scales": 3, "periods": [2, 5]}
    ).initialization.discriminator
    assert [type(one).__name__ for one in discriminator.discriminators] == ["ScaleDiscriminator"] * 3 + [
        "PeriodDiscriminator"
    ] * 2
    assert list(discriminator.config.period_channels) == [4, 4, 12, 20, 20]


def test_a_new_voice_of_several_speakers_is_one_that_was_built_for_them(make_folder, trainer_of, make_settings):
    """As opposed to one of one speaker that is widened, whose new layers answer 0."""
    trainer = trainer_of(make_folder(WHO), {"speaker_embedding_size": 6}, speaker_column="who")
    config = trainer.initialization.model.config
    assert (config.num_speakers, config.speaker_names, config.speaker_embedding_size) == (3, WHO, 6)
    built = ModelInitialization.from_scratch(
        config, trainer.initialization.discriminator.config, make_settings().seed
    ).model
    found = trainer.initialization.model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in built.state_dict().items() if name in found)
    assert found["embed_speaker.weight"].shape == (3, 6) and found["decoder.cond.weight"].any()


def test_the_size_of_new_speaker_vectors_is_that_of_published_voices_unless_given(make_folder, trainer_of):
    assert trainer_of(make_folder(WHO), speaker_column="who").output_model.config.speaker_embedding_size == 256


def test_one_name_in_the_speaker_column_makes_a_voice_of_one_speaker_with_that_name(make_folder, trainer_of):
    config = trainer_of(make_folder(["zoe"]), speaker_column="who").output_model.config
    assert (config.num_speakers, config.speaker_names, config.speaker_embedding_size) == (1, ["zoe"], 0)


def test_speakers_are_the_same_in_any_order_of_rows_and_are_saved(make_folder, trainer_of):
    for order in itertools.permutations(WHO):
        assert speakers_of("who", read_folder(make_folder(order))[0]) == WHO
    trainer = trainer_of(make_folder(WHO[::-1]), speaker_column="who")
    trainer.save_model()
    saved = VitsModel.from_pretrained(trainer.output_dir).config
    assert saved.speaker_names == WHO and saved.speaker_index("zoe") == 2


def test_numbers_from_0_up_are_the_numbers_of_their_speakers(make_folder, trainer_of):
    """Each has one clip, so that one is for evaluation; its speaker has a number all the same."""
    folder = make_folder([str(n) for n in (11, 2, 0, 1, 10, 3, 4, 5, 6, 7, 8, 9)], 12)
    trainer = trainer_of(folder, speaker_column="who")
    assert trainer.evaluation
    assert trainer.output_model.config.speaker_names == [str(number) for number in range(12)]


def test_unusable_clips_of_a_folder_are_not_drawn_for_evaluation(make_folder, trainer_of):
    """Of twelve clips one is for evaluation; here ten have no text, and then eleven."""
    folder = Path(make_folder(clips=12))
    lines = (folder / "metadata.csv").read_text().splitlines()
    for usable in ({3, 7}, {7}):
        kept = [line if n - 1 in usable or n == 0 else f"{n - 1}.wav," for n, line in enumerate(lines)]
        (folder / "metadata.csv").write_text("\n".join(kept))
        trainer = trainer_of(str(folder))
        assert trainer.filter_report.kept == 1 and (trainer.evaluation is not None) == (len(usable) == 2)


def test_a_voice_keeps_its_tokenizer_and_weights_and_gains_the_speakers_it_lacks(
    make_folder, trainer_of, make_model, make_tokenizer, speakers, tmp_path
):
    model = make_model(sampling_rate=2000, **speakers)
    model.save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    trainer = trainer_of(make_folder(["bea", "dan"]), model_name_or_path=str(tmp_path / "voice"), speaker_column="who")
    assert trainer.initialization.model.config.speaker_names == ["ada", "bea", "cem", "dan"]
    assert trainer.processing_class.get_vocab() == make_tokenizer().get_vocab()
    weight = trainer.initialization.model.text_encoder.project.weight
    assert torch.equal(weight, model.text_encoder.project.weight) and trainer.initialization.new_discriminator
    assert {clip.speaker_id for clip in trainer.train_dataloader.loader.dataset.clips} == {1, 3}


def test_speakers_without_names_are_known_by_their_numbers(
    make_folder, trainer_of, make_model, make_tokenizer, speakers, tmp_path
):
    del speakers["speaker_names"]
    model = make_model(sampling_rate=2000, **speakers)
    model.save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    trainer = trainer_of(make_folder(["0", "2"]), model_name_or_path=str(tmp_path / "voice"), speaker_column="who")
    start = trainer.initialization
    assert {clip.speaker_id for clip in trainer.train_dataloader.loader.dataset.clips} == {0, 2}
    assert start.model.config.speaker_names is None
    start.add_speakers(["2", "eve"])
    assert start.model.config.speaker_names == ["0", "1", "2", "eve"]
    assert torch.equal(start.model.embed_speaker.weight[:3], model.embed_speaker.weight)


def test_a_given_tokenizer_serves_a_new_voice(make_folder, trainer_of, make_tokenizer, tmp_path):
    make_tokenizer().save_pretrained(tmp_path / "tokenizer")
    trainer = trainer_of(make_folder(), tokenizer_name_or_path=str(tmp_path / "tokenizer"))
    known = VitsTokenizer.from_pretrained(tmp_path / "tokenizer").get_vocab()
    assert (
        trainer.processing_class.get_vocab() == known
        and trainer.output_model.config.vocab_size == max(known.values()) + 1
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"model_config": "{"}, "`model_config` is '{'; it must be a JSON object"),
        ({"model_config": None}, "`model_config` is null; it must be a JSON object"),
        ({"model_config": {"hidden_size": 2.5}}, "`model_config` describes no possible .*hidden_size"),
        ({"model_config": {"hidden_size": None}}, "`model_config` describes no possible .*hidden_size"),
        ({"discriminator_config": {"periods": [0]}}, "`discriminator_config` describes no possible .*above 0"),
        ({"tokenizer_options": {"phonemise": True}}, "unknown fields: 'phonemise'; did you mean `phonemize`"),
        ({"tokenizer_options": {"normalize": "yes"}}, "`normalize` is 'yes'; it must be true or false"),
        ({"streaming": "perhaps"}, "`streaming` is 'perhaps'; it must be true or false"),
        ({"tokenizer_options": "[1]"}, r"`tokenizer_options` is '\[1\]'; it must be a JSON object"),
        ({"discriminator_config": {"scale": 3}}, r"unknown fields: 'scale'; did you mean `scales`"),
        ({"model_config": {"hiden_size": 4}}, r"unknown fields: 'hiden_size'; did you mean `hidden_size`"),
    ],
)
def test_what_is_no_json_object_or_no_field_is_an_error_before_anything_is_read(names, expected):
    with pytest.raises(ValueError, match=expected):
        ModelAndDataArguments(**names)


@pytest.mark.parametrize("option", ["text_column", "audio_column", "speaker_column"])
def test_an_unknown_column_is_an_error_that_lists_the_columns(make_folder, trainer_of, option):
    with pytest.raises(ValueError, match=rf"no column 'x'.*'text', 'who', 'audio'.*`{option}`"):
        trainer_of(make_folder(WHO), **{option: "x"})


def test_whole_numbers_of_a_new_voice_may_be_written_with_a_point():
    recipe = ModelAndDataArguments(
        model_config={"hidden_size": 8.0, "upsample_rates": [8.0, 8, 2, 2.0], "noise_scale": 1.0}
    )
    assert [type(recipe.model_config[name]) for name in ("hidden_size", "noise_scale")] == [int, float]
    assert all(type(rate) is int for rate in recipe.model_config["upsample_rates"])


def test_a_tracker_that_is_not_installed_is_an_error_before_the_data_are_read(make_settings, monkeypatch):
    monkeypatch.setattr(
        "hf_vits.training.model_and_data_arguments.load_data", lambda *_: pytest.fail("the data are read")
    )
    with pytest.raises(ImportError, match="`pip install swanlab`"):
        ModelAndDataArguments(dataset_name="data").build_trainer(make_settings(report_to="swanlab"))


def test_a_table_of_several_speakers_is_not_trained_as_one_voice_unless_that_is_said(make_folder, trainer_of):
    folder = Path(make_folder(WHO))
    files = [row["audio"]["path"] for row in read_folder(folder)[0]]
    lines = [f"{file}|{WHO[number % 3]}|a hope {number}.\n" for number, file in enumerate(files)]
    (folder / "metadata.csv").write_text("".join(lines))
    with pytest.raises(ValueError, match="'speaker' .*3 speakers .*would be trained as one voice.*--speaker_column"):
        trainer_of(folder)
    assert trainer_of(folder, speaker_column="speaker").output_model.config.speaker_names == sorted(WHO)
    assert trainer_of(folder, speaker_column="").output_model.config.num_speakers == 1
    swapped = trainer_of(folder, speaker_column="speaker", table_columns="file_name, text, speaker")
    assert len(swapped.output_model.config.speaker_names) == len(files)


def test_a_voice_learns_another_language_by_the_name_of_its_espeak_voice(
    make_folder, make_start, make_tokenizer, trainer_of, tmp_path
):
    pytest.importorskip("espeakng_loader")
    make_start().model.save_pretrained(tmp_path / "voice")
    options = {"phonemize": True, "phoneme_language": "en-us", "cleaner": "english"}
    make_tokenizer(**options).save_pretrained(tmp_path / "voice")
    trainer = trainer_of(make_folder(), model_name_or_path=str(tmp_path / "voice"), language="it")
    assert (trainer.processing_class.phoneme_language, trainer.processing_class.cleaner) == ("it", "none")
    trainer.processing_class.save_pretrained(tmp_path / "made")
    made = VitsTokenizer.from_pretrained(tmp_path / "made")
    assert made.phoneme_language == made.language == "it"


@pytest.mark.parametrize("is_new", [False, True], ids=["given model", "new model"])
def test_an_unknown_language_is_an_error_before_the_data_is_read(
    make_start, make_tokenizer, trainer_of, tmp_path, is_new
):
    pytest.importorskip("espeakng_loader")
    make_start().model.save_pretrained(tmp_path / "voice")
    make_tokenizer(phonemize=True, phoneme_language="en-us").save_pretrained(tmp_path / "voice")
    model = {"tokenizer_options": {}} if is_new else {"model_name_or_path": str(tmp_path / "voice")}
    with pytest.raises(ValueError, match="no language 'itlian'; did you mean `it` for Italian"):
        trainer_of(tmp_path / "no data here", language="itlian", **model)


def test_a_voice_of_letters_cannot_be_given_a_language(make_folder, make_start, make_tokenizer, trainer_of, tmp_path):
    make_start().model.save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    with pytest.raises(ValueError, match="`language` is 'it'.*reads letters"):
        trainer_of(make_folder(), model_name_or_path=str(tmp_path / "voice"), language="it")


@pytest.fixture
def trainer_of_base(make_base, make_folder, make_settings, small_completion, monkeypatch):
    """A trainer that starts from the same base that lacks modules, with two recordings for evaluation."""
    monkeypatch.setattr("hf_vits.training.completion.CompletionSettings", small_completion)

    def make(min_duration_seconds=None, **names):
        folder, limits = make_folder(), {"min_duration_seconds": min_duration_seconds} if min_duration_seconds else {}
        Path(folder, "eval.txt").write_text("1.wav\n5.wav\n")  # all cabbages
        names = {"model_name_or_path": str(make_base()), "complete_base": True, **names}
        settings = make_settings(discriminator_channel_multiplier=0.02, max_steps=1, **limits)
        return ModelAndDataArguments(dataset_name=folder, **names).build_trainer(settings)

    return make


@pytest.mark.thorough
def test_a_base_is_completed_with_the_texts_of_training_before_it_is_trained(
    trainer_of_base, monkeypatch, tmp_path, caplog
):
    spoken = []
    speech = OwnSpeech.__init__
    monkeypatch.setattr(OwnSpeech, "__init__", lambda self, *args: spoken.extend(args[2]) or speech(self, *args))
    trainer = trainer_of_base()
    assert trainer.initialization.new_modules == ["discriminator"]
    assert "posterior_encoder" not in caplog.text
    assert set(spoken) == {"a hope", "feed me", "no."}
    assert trainer.initialization.provenance.name == "base"
    (folder,) = (tmp_path / "cache" / "completed").glob("[!.]*")
    completed = VitsModel.from_pretrained(folder)
    prepared = trainer.initialization.model.state_dict()
    for name, value in completed.state_dict().items():
        if not name.startswith("decoder."):  # which has weight norm in training
            assert torch.equal(prepared[name], value), name

    monkeypatch.setattr(Completion, "train_step", lambda self: pytest.fail("it is completed again"))
    assert trainer_of_base().initialization.new_modules == ["discriminator"]
    trainer.save_checkpoint()
    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path / "empty"))
    caplog.clear()
    assert trainer_of_base().initialization.new_modules == ["discriminator"]  # a resumed run loads its own
    assert "posterior_encoder" not in caplog.text


def test_the_data_is_checked_and_its_table_printed_before_a_base_is_completed(trainer_of_base, monkeypatch, caplog):
    def train_step(self):
        raise AssertionError("it is completed")

    monkeypatch.setattr(Completion, "train_step", train_step)
    caplog.set_level(logging.INFO)
    with pytest.raises(ValueError, match="No clip can be trained on"):
        trainer_of_base(min_duration_seconds=19.0)
    with pytest.raises(AssertionError, match="it is completed"):
        trainer_of_base()
    assert "Training:\nkept" in caplog.text


def test_a_base_is_not_completed_unless_that_is_said(trainer_of_base, monkeypatch, caplog):
    monkeypatch.setattr(Completion, "train_step", lambda self: pytest.fail("it is completed"))
    assert "posterior_encoder" in trainer_of_base(complete_base=False).initialization.new_modules
    assert "posterior_encoder" in caplog.text
