"""A lighter decoder learns what a voice's own decoder says; everything else of the voice stays bitwise."""

import json

import pytest
import torch
from training_runs import BASE_TEXTS, SMALL_DISCRIMINATOR

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.training.completed_base import Texts, load_base
from hf_vits.training.distillation import STEPS_PER_EPOCH, Distiller, Steps, with_decoder
from hf_vits.training.distillation_arguments import DistillationArguments
from hf_vits.training.loggers import read_history

DECODER = {"type": "vocos", "channels": 12, "intermediate_channels": 16, "layers": 1, "kernel_size": 3}
QUIET = {
    "report_to": [],
    "cpu_threads": 1,
    "save_steps": 1000,
    "eval_steps": 1000,
    "segment_frames": 16,
    "logging_steps": 1,
}


@pytest.fixture
def make_distiller(make_base, tmp_path):
    def make(name="out", base=None, decoder=DECODER, texts=BASE_TEXTS, **settings):
        base = make_base() if base is None else base
        small = {"per_device_train_batch_size": 2, "discriminator_config": SMALL_DISCRIMINATOR}
        args = DistillationArguments(str(tmp_path / name), decoder=decoder, **{**QUIET, **small, **settings})
        return Distiller(load_base(str(base)), Texts(texts, "texts"), args)

    return make


@pytest.mark.thorough
def test_all_but_the_decoder_is_the_voices_bitwise(make_distiller, make_base):
    base = make_base()
    trainer = make_distiller(base=base, max_steps=3)
    trainer.train()
    voice, distilled = VitsModel.from_pretrained(base), VitsModel.from_pretrained(trainer.output_dir)
    assert distilled.config.decoder["type"] == "vocos" and distilled.config.hop_length == voice.config.hop_length
    kept, new = voice.state_dict(), distilled.state_dict()
    others = {name for name in kept if not name.startswith("decoder.")}
    assert others == {name for name in new if not name.startswith("decoder.")}
    assert all(torch.equal(kept[name], new[name]) for name in others)
    assert distilled.missing_for_training() == voice.missing_for_training() != []
    ids = VitsTokenizer.from_pretrained(trainer.output_dir)("a hope", return_tensors="pt").input_ids
    draws = [model(ids, generator=torch.Generator().manual_seed(0)) for model in (voice, distilled)]
    assert torch.equal(draws[0].durations, draws[1].durations)
    assert draws[0].waveform.shape == draws[1].waveform.shape


@pytest.mark.thorough
def test_the_distance_to_the_voices_own_speech_falls(make_distiller):
    trainer = make_distiller(max_steps=60, eval_steps=60, learning_rate=5e-3, loss_weights={"adversarial": 0})
    trainer.train()
    found = {line["step"]: line["eval/mel"] for line in read_history(trainer.output_dir) if "eval/mel" in line}
    assert found[60] < 0.7 * found[0]


def test_all_speakers_of_a_voice_are_taught(make_distiller, make_base, speakers):
    trainer = make_distiller(base=make_base("several", **speakers), max_steps=2)
    assert trainer.replay.speakers == [0, 1, 2]
    cond = trainer.generator.module.model.decoder.cond.weight.detach().clone()
    trainer.train()
    assert not torch.equal(trainer.generator.module.model.decoder.cond.weight, cond)


@pytest.mark.thorough
def test_a_run_that_stopped_ends_as_one_that_did_not(make_distiller, parameters_of, assert_equal):
    def run(name, steps):
        trainer = make_distiller(name, max_steps=steps, save_steps=1)
        trainer.train(resume_from_checkpoint="latest")
        return parameters_of(trainer)

    whole, _ = run("whole", 3), run("parts", 1)
    assert_equal(run("parts", 3), whole)


@pytest.mark.thorough
def test_accumulated_batches_weigh_the_same(make_distiller):
    trainer = make_distiller(max_steps=1, gradient_accumulation_steps=2, per_device_train_batch_size=1)
    trainer.train()
    logged = read_history(trainer.output_dir)[-2]
    assert {"train/mel", "train/adversarial", "train/feature_matching", "train/discriminator"} <= logged.keys()
    step = trainer.step_class(
        trainer.generator, trainer.discriminator, trainer.args, trainer.accelerator, trainer.replay
    )
    assert [float(one.clips) for one in step._normalizers([None, None])] == [0.5, 0.5]


def test_texts_to_evaluate_with_are_not_trained_on_and_one_copy_of_the_voice_speaks_all(make_distiller):
    trainer = make_distiller(max_steps=1)
    assert trainer.replay.model is trainer.evaluation.replay.model is trainer.teacher
    assert not any(parameter.requires_grad for parameter in trainer.teacher.parameters())
    ids = [trainer.processing_class(text).input_ids for text in trainer.eval_texts]
    assert trainer.texts and not set(trainer.texts) & set(trainer.eval_texts) or trainer.texts == trainer.eval_texts
    assert all(text in ids for text in trainer.evaluation.replay.texts)


def test_epochs_have_a_thousand_steps_of_any_number_of_batches_and_resume_within():
    assert len(list(Steps(1).epoch(3))) == STEPS_PER_EPOCH
    assert len(list(Steps(1).epoch(3, 990))) == STEPS_PER_EPOCH - 990
    assert len(list(Steps(4).epoch(3, 12))) == 4 * STEPS_PER_EPOCH - 12


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("freeze_modules", ["flow"]), ("new_module_steps", 5), ("posterior_adaptation_steps", 5)),
        *(
            ("fit_speaking_rate", True),
            ("replay_batch_size", 4),
            ("max_batch_seconds", 20.0),
            ("max_tokens", 99),
        ),
        *(("min_duration_seconds", 0.1), ("max_duration_seconds", 9.0), ("dataloader_num_workers", 0)),
        *(("match_loudness", True), ("join_clips_seconds", 8.0), ("max_eval_samples", 3)),
    ],
)
def test_settings_of_recordings_and_of_other_modules_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` has no effect here: .*Leave it out"):
        DistillationArguments("out", **{name: value})


def test_every_setting_without_effect_is_one_of_the_class_and_may_be_left_at_its_default():
    given = {name: getattr(DistillationArguments("out"), name) for name in DistillationArguments.unused}
    assert DistillationArguments("out", **given) == DistillationArguments("out")


def test_losses_and_modules_beside_the_decoder_are_refused():
    with pytest.raises(ValueError, match="`loss_weights` has kl, no loss of a decoder"):
        DistillationArguments("out", loss_weights={"mel": 30, "kl": 1})
    with pytest.raises(ValueError, match="`learning_rate_multipliers` has flow, decoders; nothing but the decoder"):
        DistillationArguments("out", learning_rate_multipliers={"flow": 0.5, "decoders": 1, "decoder.head": 2})
    with pytest.raises(ValueError, match="`metric_for_best_model` is kl, which is not measured here; give one of mel"):
        DistillationArguments("out", load_best_model_at_end=True, metric_for_best_model="kl")


@pytest.mark.thorough
def test_the_best_decoder_is_chosen_by_the_distance_that_is_measured(make_distiller):
    trainer = make_distiller(max_steps=2, eval_steps=1, save_steps=1, load_best_model_at_end=True)
    trainer.train()
    found = {line["step"]: line["eval/mel"] for line in read_history(trainer.output_dir) if "eval/mel" in line}
    assert trainer.best.step == min((1, 2), key=found.__getitem__)


@pytest.mark.thorough
def test_a_checkpoint_of_another_voice_or_of_other_texts_is_not_resumed(make_distiller, make_base):
    make_distiller("run", max_steps=1, save_steps=1).train()
    trainer = make_distiller("run", texts=[*BASE_TEXTS, "ben"], max_steps=2)
    with pytest.raises(ValueError, match="is of a run with other texts than texts.*Resume with the texts"):
        trainer.train(resume_from_checkpoint="latest")
    other = VitsModel.from_pretrained(make_base())
    with torch.no_grad():
        other.text_encoder.project.bias += 1
    base = make_base("other")
    other.save_pretrained(base)
    trainer = make_distiller("run", base=base, max_steps=2, save_steps=1)
    with pytest.raises(ValueError, match="is of a voice with another text_encoder.project.bias"):
        trainer.train(resume_from_checkpoint="latest")


def test_the_card_says_what_is_new_and_has_the_settings_that_were_given_and_can_be_given_again(make_distiller):
    trainer = make_distiller(max_steps=1, warmup_steps=3)
    trainer.train()
    card = (trainer.output_dir / "README.md").read_text()
    assert "The decoder is new: it was trained on latents of the base model" in card
    assert "No recordings: speech of the base model" in card
    assert "| decoder | Vocos with 12 channels in 1 ConvNeXt block(s)" in card
    listed, shown = card.split("```json", 1)
    assert "warmup_steps" in listed and "freeze_modules" not in listed and "new_module_steps" not in listed
    again = DistillationArguments(**json.loads(shown.split("```")[0]))
    assert again.warmup_steps == 3 and again.decoder == DECODER


def test_a_decoder_that_does_not_fit_is_refused(make_base, tmp_path):
    voice = load_base(str(make_base())).model
    with pytest.raises(ValueError, match="`decoder` makes 16 samples of a frame, and the voice has 8"):
        with_decoder(voice, {**DECODER, "fft_size": 64}, seed=0)
    with pytest.raises(ValueError, match="it must have a `type`: hifigan, vocos"):
        with_decoder(voice, {"channels": 3}, seed=0)
    with pytest.raises(ValueError, match="'istftt'.*its `type` must be one of hifigan, vocos"):
        DistillationArguments(str(tmp_path), decoder="istftt")
    with pytest.raises(ValueError, match="`discriminator_config` is 'wide'"):
        DistillationArguments(str(tmp_path), discriminator_config="wide")


def test_a_name_alone_is_a_decoder_of_the_voices_hop(make_base):
    voice = load_base(str(make_base())).model
    arguments = DistillationArguments("out", decoder="vocos")
    assert arguments.decoder == {"type": "vocos"}
    assert json.loads(json.dumps(arguments.to_dict()))["decoder"] == {"type": "vocos"}
    assert with_decoder(voice, {**DECODER}, seed=0).config.decoder["fft_size"] == 32
