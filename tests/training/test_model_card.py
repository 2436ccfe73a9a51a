"""The card of a run as a whole document: its metadata, its links and its numbers."""

import json
import re
from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.hub.known_voices import VOICES
from hf_vits.hub.license import Provenance, origin_of
from hf_vits.training import Columns, ModelInitialization
from hf_vits.training.checkpoints import list_checkpoints
from hf_vits.training.loggers import read_history
from hf_vits.training.model_card import MARK
from hf_vits.training.training_arguments import VitsTrainingArguments

DISCRIMINATOR = VitsDiscriminatorConfig(periods=[2], period_channels=[4], scale_channels=[4, 4, 8, 8, 8, 8])


def load(folder):
    return ModelInitialization.from_pretrained(str(folder), config=DISCRIMINATOR)


@pytest.fixture
def make_base(saved_voice, tmp_path):
    """A folder with a voice, called so and with this card."""

    def make(name, card=None):
        folder = tmp_path / name
        saved_voice(folder, sampling_rate=2000)
        if card is not None:
            (folder / "README.md").write_text(card)
        return folder

    return make


def linked(text):
    return re.findall(r'src="([^"]+)"|\]\((?!https?:)([^)]+)\)', text)


def card_of(folder, name="README.md"):
    card = ModelCard.load(str(folder / name))
    links = [one or other for one, other in linked(card.text)]
    assert all((folder / link).is_file() for link in links), links
    return card, links


def numbers_of(text, heading):
    """Rows of the table under a heading, by their first cell."""
    section = text.split(f"## {heading}")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.thorough
def test_a_card_tells_the_run(make_trainer, make_data, tmp_path, monkeypatch):
    data = make_data(5, seconds=0.4, text=["", *["a hope"] * 4])
    evaluation = make_data(2, seconds=0.4, text=["a hope", "a deed"])
    trainer = make_trainer(data=data, eval_dataset=evaluation, max_steps=1, loss_weights={"mel": 40.0})
    trainer.train()
    card, links = card_of(trainer.output_dir)
    metadata = card.data.to_dict()
    assert (metadata["library_name"], metadata["pipeline_tag"]) == ("hf_vits", "text-to-speech")
    assert {"vits", "text-to-speech"} <= set(metadata["tags"]) and "base_model" not in metadata
    assert len([link for link in links if link.endswith(".wav")]) == 2 and "model_card/losses.png" in links
    sounds = [link for link in links if link.endswith(".wav")]
    newest = trainer.output_dir / "samples" / "step-1"
    assert all((trainer.output_dir / s).read_bytes() == (newest / s[11:]).read_bytes() for s in sounds)
    assert "> a hope" in card.text and "> a deed" in card.text  # what an evaluation clip says

    evaluation = [line for line in read_history(trainer.output_dir) if "eval/mel" in line]
    losses = numbers_of(card.text, "Losses")
    assert losses[""] == ["step 0", "step 1"]
    for name in ("mel", "kl", "duration", "focus"):
        wanted = [evaluation[0][f"eval/{name}"], evaluation[-1][f"eval/{name}"]]
        assert [float(cell) for cell in losses[name]] == pytest.approx(wanted, rel=1e-3)

    clips = numbers_of(card.text, "Data")
    assert clips["trained on"] == [str(trainer.filter_report.kept), f"{trainer.filter_report.seconds / 3600:.2f}"]
    assert clips["left out: no text"][0] == "1" and clips["evaluation set"][0] == "2"
    settings = json.loads(re.search(r"```json\n(.*?)```", card.text, re.DOTALL)[1])
    assert VitsTrainingArguments(**settings).weights["mel"] == 40.0 and settings["output_dir"] == "out"
    assert '`loss_weights` {"mel": 40.0}' in card.text
    assert {"python", "torch", "transformers", "hf_vits"} <= numbers_of(card.text, "Versions").keys()
    assert str(tmp_path) not in str(card)
    assert "In a clone of hf_vits, `pip install -e .`, then:" in card.text  # it is not on PyPI

    monkeypatch.chdir(tmp_path)  # where the folder's name is enough
    exec(re.search(r"```python\n(.*?)```", card.text, re.DOTALL)[1], {})
    assert (tmp_path / "speech.wav").is_file()

    trainer.progress.epoch, trainer.progress.batch = 1, 0
    trainer.save_model()
    assert "\n1 complete pass over them." in card_of(trainer.output_dir)[0].text


def test_a_voice_of_mms_is_not_for_sale_and_neither_is_what_comes_of_it(make_base, make_trainer, caplog):
    start = load(make_base("mms-tts-eng"))
    assert [line for line in caplog.messages if "cc-by-nc-4.0" in line and "commercially" in line]
    trainer = make_trainer(start=start)
    trainer.save_checkpoint()
    trainer.save_model()
    card, _ = card_of(trainer.output_dir)
    assert card.data.license == "cc-by-nc-4.0" and "Not for commercial use" in card.text
    caplog.clear()
    for folder in (trainer.output_dir, list_checkpoints(trainer.output_dir)[-1]):
        assert load(folder).provenance.license == "cc-by-nc-4.0"
    assert len(caplog.messages) == 2


def test_a_name_on_the_hub_is_the_base_model(make_model, make_trainer):
    model = make_model(sampling_rate=2000)
    model.name_or_path = "facebook/mms-tts-deu"
    trainer = make_trainer(start=ModelInitialization.from_model(model, DISCRIMINATOR))
    trainer.save_model()
    card, _ = card_of(trainer.output_dir)
    assert (card.data.base_model, card.data.license) == ("facebook/mms-tts-deu", "cc-by-nc-4.0")
    assert origin_of(str(trainer.output_dir)).on_hub == ["facebook/mms-tts-deu"]


def test_the_license_is_that_of_the_bases_card_down_the_chain(make_base, make_trainer, forget_accelerate):
    words = (
        "---\nlicense: other\nlicense_name: house-rules\nlicense_link: https://example.org/rules\nlanguage: is\n---\n"
    )
    folder = make_base("mms-tts-isl", words)
    for name in ("child", "grandchild"):
        forget_accelerate()
        trainer = make_trainer(start=load(folder), output_dir_name=name)
        trainer.save_model()
        folder = trainer.output_dir
        data = card_of(folder)[0].data
        assert (data.license, data.license_name, data.language) == ("other", "house-rules", ["is"])
        assert data.license_link == "https://example.org/rules"


@pytest.mark.parametrize(
    "card", [None, "no metadata", "---\nlicense: [\n---\n", "---\n- a\n---\n", "---\nlicense: 5\n---\n"]
)
def test_an_unknown_license_says_so(make_base, card):
    assert origin_of(str(make_base("voice", card))) == Provenance("voice")


def test_a_card_says_that_the_license_is_unknown(make_trainer, make_start):
    trainer = make_trainer(start=make_start(lively=True))
    trainer.save_model()
    card, _ = card_of(trainer.output_dir)
    assert card.data.license is None and "unknown: find out before you pass this one on" in card.text


def test_the_default_voice_has_the_license_of_its_card(tmp_path):
    voice = next(iter(VOICES.values()))
    origin = origin_of(str(tmp_path / f"{voice.name}-{voice.onnx_sha256[:12]}-1"))
    assert (origin.name, origin.license, origin.terms) == (voice.name, "other", voice.license_text)


@pytest.mark.thorough
def test_the_base_is_remembered_when_a_run_is_resumed(make_base, make_trainer, forget_accelerate):
    make_trainer(start=load(make_base("mms-tts-eng"))).save_checkpoint()
    forget_accelerate()
    rest = make_trainer(start=load(make_base("other")), max_steps=1)
    rest.train(resume_from_checkpoint="latest")
    assert card_of(rest.output_dir)[0].data.license == "cc-by-nc-4.0"


def test_new_parts_are_named_with_the_steps_that_they_had_alone(make_model, make_trainer):
    start = ModelInitialization.from_model(make_model(inference_only=True, sampling_rate=2000), DISCRIMINATOR)
    trainer = make_trainer(start=start, new_module_steps=7)
    trainer.progress.step = 9
    trainer.save_model()
    text = card_of(trainer.output_dir)[0].text
    assert "lacked duration_predictor, posterior_encoder, discriminator" in text and "the first 7 steps" in text
    assert "its own speech" not in text and "was adapted" not in text


@pytest.mark.thorough
def test_modules_of_a_completed_base_are_named_also_when_the_run_is_resumed(
    make_model, make_trainer, forget_accelerate
):
    start = ModelInitialization.from_model(make_model(inference_only=True, sampling_rate=2000), DISCRIMINATOR)
    start.completion = lambda: start.model
    start.complete()
    settings = {"start": start, "new_module_steps": 0, "posterior_adaptation_steps": 4, "adaptation_pairs": 0}
    make_trainer(**settings).save_checkpoint()
    start.provenance = replace(start.provenance, completed=[])
    forget_accelerate()
    trainer = make_trainer(**settings, max_steps=2)
    trainer.train(resume_from_checkpoint="latest")
    text = card_of(trainer.output_dir)[0].text
    assert (
        "lacked duration_predictor, posterior_encoder, in whole or in part; these were trained on its own speech"
        in text
    )
    assert "lacked discriminator, in whole or in part; these were newly initialized. For 2 steps the posterior" in text


def test_a_card_that_somebody_wrote_stays(make_trainer, caplog):
    trainer = make_trainer()
    trainer.output_dir.mkdir(parents=True)
    mine = "---\nlicense: mit\n---\nMy own words."
    (trainer.output_dir / "README.md").write_text(mine)
    trainer.save_model()
    assert (trainer.output_dir / "README.md").read_text() == mine
    assert "## Versions" in card_of(trainer.output_dir, "README.run.md")[0].text
    assert [line for line in caplog.messages if "README.run.md" in line]


def test_the_next_run_replaces_the_card_of_a_run_and_what_it_showed(make_trainer):
    trainer = make_trainer()
    (trainer.output_dir / "model_card").mkdir(parents=True)
    (trainer.output_dir / "model_card" / "row-9.wav").write_text("sound")
    (trainer.output_dir / "model_card" / "mine.wav").write_text("not of a run")
    (trainer.output_dir / "README.md").write_text(f"{MARK}\nmodel_card/row-9.wav")
    trainer.save_model()
    assert "## Versions" in card_of(trainer.output_dir)[0].text
    assert [file.name for file in (trainer.output_dir / "model_card").iterdir()] == ["mine.wav"]
    assert not (trainer.output_dir / "README.run.md").exists()


def test_a_stream_and_speakers_are_named(make_data, make_model, make_trainer, speakers):
    start = ModelInitialization.from_model(make_model(sampling_rate=2000, **speakers), DISCRIMINATOR)
    data = make_data(8, speaker=["ada", "bea"] * 4).to_iterable_dataset()
    trainer = make_trainer(start=start, data=data, columns=Columns(speaker="speaker"))
    trainer.dataset_name = "org/corpus"
    trainer.save_model()
    card, _ = card_of(trainer.output_dir)
    assert card.data.datasets == ["org/corpus"] and "3 speakers (ada, bea, cem)" in card.text
    assert "Read as a stream" in card.text and 'speaker_id="ada"' in card.text


@pytest.mark.parametrize(("stochastic", "unit"), [(True, "nats per token"), (False, "squared error of the logarithm")])
def test_the_unit_of_the_durations_loss_is_that_of_the_predictor(make_trainer, make_start, stochastic, unit):
    trainer = make_trainer(start=make_start(use_stochastic_duration_prediction=stochastic), max_steps=1)
    trainer.train()
    assert f"duration: {unit}" in card_of(trainer.output_dir)[0].text
