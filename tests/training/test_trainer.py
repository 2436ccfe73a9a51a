import json
import re
import signal
from types import SimpleNamespace

import pytest
import torch
import transformers
from huggingface_hub import ModelCard
from safetensors.torch import save
from stub_hub import Hub
from training_runs import SMALL_DISCRIMINATOR

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.training import ModelInitialization
from hf_vits.training.checkpoints import inference_copy, list_checkpoints
from hf_vits.training.loggers import read_history
from hf_vits.training.train_step import StepResult

IDS = torch.tensor([[0, 3, 0, 5, 0, 9, 0]])


@pytest.mark.thorough
def test_a_run_leaves_a_voice_its_discriminators_a_history_and_samples(make_trainer, make_data):
    trainer = make_trainer(eval_dataset=make_data(3), max_steps=3, logging_steps=1, eval_steps=2)
    progress, out = trainer.train(), trainer.output_dir
    assert (progress.step, progress.skipped_steps) == (3, 0)
    model, tokenizer = VitsModel.from_pretrained(out), VitsTokenizer.from_pretrained(out)
    assert torch.isfinite(model(**tokenizer("a hope", return_tensors="pt")).waveform).all()
    discriminator = VitsDiscriminator.from_pretrained(out / "discriminator").state_dict()
    assert all(
        torch.equal(discriminator[name], value) for name, value in trainer.discriminator.module.state_dict().items()
    )
    lines = read_history(out)
    assert [line["step"] for line in lines if "train/mel" in line] == [1, 2, 3]
    assert [line["step"] for line in lines if "eval/mel" in line] == [0, 2, 3]
    assert {"losses.png", "samples"} <= {file.name for file in out.iterdir()}
    assert len(list((out / "samples" / "step-2").glob("*.png"))) == 3


@pytest.mark.thorough
def test_stock_transformers_speaks_the_same(make_trainer):
    trainer = make_trainer(max_steps=2)
    trainer.train()
    ours = VitsModel.from_pretrained(trainer.output_dir)
    stock = transformers.VitsModel.from_pretrained(trainer.output_dir)
    torch.manual_seed(3)
    theirs = stock(IDS).waveform
    out = ours(IDS, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(out.waveform, theirs, rtol=0, atol=1e-5)


def test_what_is_saved_is_the_moving_average(make_trainer):
    trainer = make_trainer(max_steps=4, ema_decay=0.5)
    trainer.train()
    saved = VitsModel.from_pretrained(trainer.output_dir).state_dict()
    average, last = (
        inference_copy(trainer.ema.module).state_dict(),
        inference_copy(trainer.generator.module.model).state_dict(),
    )
    assert all(torch.equal(saved[name], average[name]) for name in saved)
    assert any(not torch.equal(saved[name], last[name]) for name in saved)


def test_without_an_average_the_last_parameters_are_saved(make_trainer):
    trainer = make_trainer(max_steps=2, ema_decay=0)
    trainer.train()
    saved = VitsModel.from_pretrained(trainer.output_dir).state_dict()
    last = inference_copy(trainer.generator.module.model).state_dict()
    assert all(torch.equal(saved[name], last[name]) for name in saved)


@pytest.mark.thorough
def test_a_resumed_run_ends_where_one_that_never_stopped_does(make_trainer, make_start, parameters_of, assert_equal):
    whole = make_trainer(max_steps=7, save_steps=3, output_dir_name="whole")
    whole.train()
    make_trainer(max_steps=4, save_steps=1000, output_dir_name="parts").train()
    rest = make_trainer(max_steps=7, output_dir_name="parts")
    rest.train(resume_from_checkpoint="latest")
    assert_equal(parameters_of(rest), parameters_of(whole))
    average, other = rest.ema.module.state_dict(), whole.ema.module.state_dict()
    assert all(torch.equal(average[name], other[name]) for name in other)
    assert rest.progress == whole.progress


@pytest.mark.parametrize("limit", [None, 20])
def test_an_epoch_goes_on_in_more_processes_with_smaller_batches_unless_each_is_limited(make_trainer, limit):
    trainer = make_trainer(per_device_train_batch_size=4, max_batch_seconds=limit)
    alone = trainer._batch_order()
    trainer.accelerator, trainer.args.per_device_train_batch_size = SimpleNamespace(num_processes=2), 2
    assert (trainer._batch_order() == alone) is (limit is None)


def test_resuming_latest_begins_where_there_is_nothing_yet(make_trainer):
    assert make_trainer(max_steps=1).train(resume_from_checkpoint="latest").step == 1


def test_a_folder_with_a_run_is_not_begun_anew(make_trainer):
    make_trainer(max_steps=1).train()
    with pytest.raises(FileExistsError, match='holds a run of 1 steps.*"latest"'):
        make_trainer(max_steps=2).train()


@pytest.mark.thorough
def test_the_newest_checkpoints_are_kept(make_trainer):
    trainer = make_trainer(max_steps=5, save_steps=1, save_total_limit=2)
    trainer.train()
    assert [folder.name for folder in list_checkpoints(trainer.output_dir)] == ["checkpoint-4", "checkpoint-5"]


def test_the_step_in_which_a_signal_comes_is_the_last_one_and_saved(make_trainer):
    trainer = make_trainer(max_steps=50)
    advance = trainer._advance

    def interrupted(*arguments):
        if trainer.progress.step == 1:  # the second step is not counted yet
            signal.raise_signal(signal.SIGTERM)
        advance(*arguments)

    trainer._advance = interrupted
    assert trainer.train().step == 2
    assert list_checkpoints(trainer.output_dir)[-1].name == "checkpoint-2"
    assert VitsModel.from_pretrained(trainer.output_dir)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("kind", ["stochastic", "plain"])
@pytest.mark.parametrize("part", ["posterior_encoder.conv_proj", "flow.flows.0.conv_post", "text_encoder.project"])
def test_a_step_whose_scores_of_alignments_are_not_finite_is_skipped(make_start, make_trainer, part, kind):
    start = make_start(use_stochastic_duration_prediction=kind == "stochastic")
    trainer = make_trainer(start, max_steps=1)
    before = {name: value.clone() for name, value in trainer.generator.module.model.state_dict().items()}
    damaged = trainer.generator.module.model.get_submodule(part)
    hook = damaged.register_forward_hook(lambda module, given, made: made * float("nan"))
    assert trainer.train().skipped_steps == 1
    hook.remove()
    after = trainer.generator.module.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_step_without_a_finite_gradient_is_skipped_and_counted(make_trainer, parameters_of, assert_equal):
    trainer = make_trainer(max_steps=1)
    before = parameters_of(trainer)
    hook = trainer.generator.module.model.decoder.conv_post.register_forward_hook(lambda *a: a[2] * float("nan"))
    assert trainer.train().skipped_steps == 1
    hook.remove()
    assert_equal(parameters_of(trainer), before)


def test_a_hundred_steps_in_a_row_without_a_finite_gradient_end_the_run(make_trainer):
    trainer, bad, good = make_trainer(), StepResult({}, False), StepResult({}, True)
    for result in [bad] * 99 + [good] + [bad] * 99:
        trainer._advance(1, result)
    with pytest.raises(FloatingPointError, match="100 steps.*earlier checkpoint.*`learning_rate`"):
        trainer._advance(1, bad)
    assert (trainer.progress.skipped_steps, trainer.progress.step) == (199, 200)


@pytest.mark.thorough
def test_fresh_parts_are_trained_before_the_rest(make_trainer, make_model, parameters_of):
    spoken = make_model(inference_only=True, sampling_rate=2000, resblock_type="2")

    def from_model():
        return ModelInitialization.from_model(spoken, VitsDiscriminatorConfig(**SMALL_DISCRIMINATOR), seed=2)

    start = from_model()
    trainer = make_trainer(start=start, max_steps=2, new_module_steps=2)
    before = parameters_of(trainer)
    trainer.train()
    moved = {name for name, value in parameters_of(trainer).items() if not torch.equal(value, before[name])}
    parts = {".".join(name.split(".")[2:4]) for name in moved if name.startswith("generator.model.")}
    assert parts <= {"posterior_encoder.conv_pre", "posterior_encoder.wavenet", "posterior_encoder.conv_proj"} | {
        part for part in parts if part.startswith(("duration_predictor.flows", "duration_predictor.post_"))
    }
    assert "posterior_encoder.wavenet" in parts and any(name.startswith("discriminator.") for name in moved)
    resumed = make_trainer(start=from_model(), max_steps=3, new_module_steps=2)
    resumed.train(resume_from_checkpoint="latest")
    after = parameters_of(resumed)
    assert not torch.equal(
        after["generator.model.text_encoder.project.weight"], before["generator.model.text_encoder.project.weight"]
    )


def test_frozen_modules_stay_as_they_are(make_trainer, parameters_of):
    trainer = make_trainer(max_steps=2, freeze_modules=["text_encoder", "flow.flows.0"])
    before = parameters_of(trainer)
    trainer.train()
    kept = {name for name, value in parameters_of(trainer).items() if torch.equal(value, before[name])}
    frozen = {n for n in before if n.startswith(("generator.model.text_encoder.", "generator.model.flow.flows.0."))}
    assert frozen <= kept
    assert "generator.model.flow.flows.1.conv_pre.weight" not in kept


@pytest.mark.thorough
def test_frozen_modules_have_no_dropout(make_trainer, make_start, make_data):
    start = make_start(lively=True, hidden_dropout=0.5)
    trainer = make_trainer(
        start=start, eval_dataset=make_data(2), max_steps=1, freeze_modules=["text_encoder", "flow.flows.0"]
    )
    trainer.train()
    model = trainer.generator.module.model
    modes = {name: module.training for name, module in model.named_children()}
    assert modes == {name: name != "text_encoder" for name in modes} and not model.text_encoder.encoder.training
    ids, mask = torch.tensor([[0, 3, 0, 5, 0]]), torch.ones(1, 1, 5)
    assert torch.equal(model.text_encoder(ids, mask).prior_mean, model.text_encoder(ids, mask).prior_mean)


def test_a_frozen_name_that_is_none_is_an_error_that_lists_the_parts(make_trainer):
    with pytest.raises(ValueError, match="text_encodr.*'text_encoder'"):
        make_trainer(max_steps=1, freeze_modules=["text_encodr"]).train()


@pytest.mark.thorough
@pytest.mark.parametrize("settings", [{"mixed_precision": "bf16"}, {"gradient_checkpointing": True}])
def test_cheaper_steps_learn_about_the_same(make_trainer, forget_accelerate, settings):
    def losses(**settings):
        forget_accelerate()
        trainer = make_trainer(max_steps=3, logging_steps=1, **settings)
        trainer.train()
        return [line["train/mel"] for line in read_history(trainer.output_dir) if "train/mel" in line]

    plainly = losses(output_dir_name="plain")
    tolerance = 0.05 if "mixed_precision" in settings else 1e-4
    assert losses(output_dir_name="cheaper", **settings) == pytest.approx(plainly, rel=tolerance)


def test_a_run_follows_the_launchers_precision_and_its_card_says_which(make_trainer, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    trainer = make_trainer(max_steps=1)
    types = set()
    hook = trainer.generator.module.model.decoder.conv_pre.register_forward_hook(lambda *a: types.add(a[2].dtype))
    trainer.train()
    hook.remove()
    assert types == {torch.bfloat16}
    assert '"mixed_precision": "bf16"' in (trainer.output_dir / "README.md").read_text()


def test_a_run_in_half_precision_on_a_cpu_or_in_parts_does_not_begin(make_trainer, monkeypatch):
    with pytest.raises(ValueError, match="fp16, which does not work on a CPU"):
        make_trainer(mixed_precision="fp16")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match="FSDP.*not supported"):
        make_trainer()


@pytest.mark.thorough
def test_history_after_the_checkpoint_is_forgotten_when_a_run_is_resumed(make_trainer):
    trainer = make_trainer(max_steps=2, logging_steps=1)
    trainer.train()
    with (trainer.output_dir / "history.jsonl").open("a") as file:
        file.write(json.dumps({"step": 3, "train/mel": 1.0}) + '\n{"step": 4, "tra')
    resumed = make_trainer(max_steps=3, logging_steps=1)
    resumed.train(resume_from_checkpoint="latest")
    assert [line["step"] for line in read_history(trainer.output_dir)] == [1, 2, 3]


def test_processes_that_each_think_they_are_alone_do_not_begin(make_trainer, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ValueError, match="2 processes were started"):
        make_trainer()


IDS = torch.tensor([[0, 3, 0, 5, 0, 9, 0]])


@pytest.mark.thorough
def test_a_pushed_voice_speaks_and_is_trained_further_from_the_hub(online, make_trainer, make_data):
    data = make_data(4, seconds=0.4, text=["a hope"] * 4)
    trainer = make_trainer(data=data, eval_dataset=data.select([0]), max_steps=1, report_to=["tensorboard"])
    trainer.train()
    (trainer.output_dir / ".secret").write_text("stays")
    trainer.push_to_hub(private=True)
    files = set(Hub.files)
    assert Hub.created[0]["name"] == "out"
    assert Hub.created[0].get("visibility") == "private" or Hub.created[0].get("private")  # as older clients say it
    assert {"config.json", "model.safetensors", "vocab.json", "tokenizer_config.json", "README.md"} <= files
    assert {"discriminator/config.json", "discriminator/model.safetensors", "history.jsonl"} <= files
    assert (trainer.output_dir / "runs").is_dir() and list(trainer.output_dir.glob("checkpoint-*"))
    assert not [name for name in files if re.match(r"checkpoint-|runs/|samples/|\.", name)]

    card = ModelCard.load("org/voice")
    shown = set(re.findall(r"model_card/[\w.-]+", card.text))
    assert {name.rsplit(".", 1)[1] for name in shown} == {"wav", "png"} and shown <= files
    assert 'voice = "org/voice"' in card.text

    model, tokenizer = VitsModel.from_pretrained("org/voice"), VitsTokenizer.from_pretrained("org/voice")
    released = VitsModel.from_pretrained(trainer.output_dir)
    speech = [m(IDS, generator=torch.Generator().manual_seed(3)).waveform for m in (model, released)]
    assert torch.equal(*speech) and tokenizer.get_vocab() == trainer.processing_class.get_vocab()

    start = ModelInitialization.from_pretrained("org/voice")
    discriminator = trainer.discriminator.module.state_dict()
    assert not start.new_modules and start.provenance.on_hub == ["org/voice"]
    assert all(torch.equal(value, discriminator[name]) for name, value in start.discriminator.state_dict().items())


@pytest.mark.parametrize("inside", [False, True])
def test_discriminators_on_the_hub_may_be_among_the_tensors_or_not_there(online, make_model, tmp_path, inside):
    few = {"period_channels": [4], "scale_channels": [4, 4, 8, 8, 8, 8]}
    model, discriminator = make_model(), VitsDiscriminator(VitsDiscriminatorConfig(**few))
    model.save_pretrained(tmp_path)
    tensors = {f"discriminator.{name}": value for name, value in discriminator.state_dict().items()} if inside else {}
    Hub.files["config.json"] = (tmp_path / "config.json").read_bytes()
    Hub.files["model.safetensors"] = save({**model.state_dict(), **tensors})
    start = ModelInitialization.from_pretrained("org/voice", config=discriminator.config)
    assert start.new_discriminator is not inside
    found = start.discriminator.state_dict()
    assert all(
        torch.equal(value, found[name]) == inside for name, value in discriminator.state_dict().items() if value.any()
    )
