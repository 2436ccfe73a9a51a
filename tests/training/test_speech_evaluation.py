"""Speech metrics in a run: what is measured is what users get, and the best checkpoint becomes the model."""

import json

import fake_instruments
import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from tiny_voices import SMALLEST

from hf_vits import TextToSpeechPipeline, VitsModel
from hf_vits.evaluation import METRICS, Metric, SentenceScore
from hf_vits.hub.license import Provenance
from hf_vits.modules.sampling import seed_of
from hf_vits.training import dataloader
from hf_vits.training.loggers import ExperimentLogger, loss_figure, read_history

pytest.importorskip("jiwer")
SPEECH = {"eval_metrics": ["wer", "similarity"], "eval_recognizer": "script", "eval_speaker_encoder": "numbers"}


@pytest.fixture
def script():
    with fake_instruments.registered():
        yield fake_instruments


@pytest.fixture
def make_run(make_trainer, make_start, make_data, script, monkeypatch):
    """A trainer of a lively voice that evaluates two clips every other step, without pictures, which take long."""
    for name in ("draw_losses", "log_figure"):
        monkeypatch.setattr(ExperimentLogger, name, lambda self, *arguments: None)

    def make(values=None, **settings):
        if values is not None:
            script.ScriptedMetric.values = iter(values)
            settings = {"eval_metrics": ["script"], "max_eval_texts": 1, **settings}
        settings = {"eval_steps": 2, "save_steps": 2, "max_steps": 4, "new_module_steps": 0, **settings}
        start = make_start(lively=True, **SMALLEST)
        return make_trainer(start, eval_dataset=make_data(2 if values is None else 1), **settings)

    return make


def values_of(trainer, name):
    lines = read_history(trainer.output_dir)
    return {line["step"]: line[name] for line in lines if name in line}


def weights(folder):
    return VitsModel.from_pretrained(folder).state_dict()


@pytest.mark.thorough
def test_what_is_measured_is_what_the_saved_voice_speaks_with_the_same_seeds(make_run, script, make_tokenizer):
    trainer = make_run(**SPEECH)
    trainer.train()
    spoken = script.ScriptedRecognizer.waveforms[-2:]
    speak = TextToSpeechPipeline(str(trainer.output_dir), make_tokenizer())
    for number, (text, waveform) in enumerate(zip(["a hope", "cabbage"], spoken, strict=True)):
        source = torch.Generator().manual_seed(seed_of(trainer.args.seed, number))
        np.testing.assert_array_equal(waveform, speak(text, generator=source)["audio"])


@pytest.mark.thorough
def test_the_history_has_base_recordings_and_every_evaluation_with_intervals(make_run, caplog):
    caplog.set_level("INFO")
    trainer = make_run(**SPEECH)
    trainer.train()
    assert list(values_of(trainer, "eval/wer")) == list(values_of(trainer, "eval/similarity")) == [0, 2, 4]
    assert list(values_of(trainer, "recordings/wer")) == [0]
    for name in ("eval/wer", "recordings/similarity"):
        low, value, high = (values_of(trainer, f"{name}{end}")[0] for end in ("/low", "", "/high"))
        assert low <= value <= high
    assert "Step 4: wer 100.0 % (100.0 % to 100.0 %; step 0 100.0 %, recordings 100.0 %), similarity " in caplog.text
    rows = json.loads((trainer.output_dir / "samples" / "step-4" / "speech.json").read_text())["rows"]
    assert [row["text"] for row in rows] == ["a hope", "cabbage"] and rows[1]["wer"] == [1, 1]
    axes = {axis.get_title(): axis for axis in loss_figure(read_history(trainer.output_dir)).axes}
    labels = [text.get_text() for text in axes["wer"].get_legend().get_texts()]
    assert labels == ["eval", "recordings"] and len(axes["wer"].collections) == 1  # the interval


@pytest.mark.thorough
def test_sentences_come_from_a_file_and_are_spoken_without_an_evaluation_set(make_trainer, script, tmp_path):
    (tmp_path / "texts.txt").write_text("a bad idea\n\n  feed me  \nhope\n", encoding="utf-8")
    settings = {**SPEECH, "eval_texts": str(tmp_path / "texts.txt"), "max_eval_texts": 2}
    trainer = make_trainer(max_steps=1, **settings)
    trainer.train()
    rows = json.loads((trainer.output_dir / "samples" / "step-1" / "speech.json").read_text())["rows"]
    assert [row["text"] for row in rows] == ["a bad idea", "feed me"]
    assert values_of(trainer, "recordings/wer") == {}
    with pytest.raises(ValueError, match="needs sentences to speak, and there is no evaluation set"):
        make_trainer(**SPEECH)


def test_a_run_that_could_not_measure_fails_before_it_reads_clips(make_run, monkeypatch, tmp_path, script):
    class Impossible(Metric):
        @classmethod
        def packages(cls, options):
            return {"no_such_ears": '"hf_vits[eval]"'}

    METRICS.register("impossible")(Impossible)
    monkeypatch.setattr(dataloader, "select", lambda *a, **k: pytest.fail("clips are read"))
    try:
        with pytest.raises(ImportError, match=r"impossible needs the package no_such_ears.*hf_vits\[eval\]"):
            make_run(eval_metrics=["impossible"])
    finally:
        METRICS.unregister("impossible")
    for text, reason in ((None, "cannot be read"), (" \n", "has no text")):
        file = tmp_path / "texts.txt"
        file.unlink(missing_ok=True) if text is None else file.write_text(text)
        with pytest.raises(ValueError, match=f"`eval_texts`.*{reason}"):
            make_run(**SPEECH, eval_texts=str(file))


BEST = {"load_best_model_at_end": True, "max_steps": 8, "save_total_limit": 1}
VALUES = [0.9, 0.1, 0.3, 0.8, 0.2, 0.4]  # of the recording, the base, and steps 2, 4, 6, 8


@pytest.mark.thorough
def test_the_best_checkpoint_is_never_deleted_and_becomes_the_model(make_run):
    trainer = make_run(VALUES, **BEST)
    trainer.initialization.provenance = Provenance("a base", license="mit")
    trainer.train()
    folders = sorted(folder.name for folder in trainer.output_dir.glob("checkpoint-*"))
    assert folders == ["checkpoint-4", "checkpoint-8"]
    final, best, last = map(weights, (trainer.output_dir, *sorted(trainer.output_dir.glob("checkpoint-*"))))
    assert all(torch.equal(final[name], best[name]) for name in final)
    assert not all(torch.equal(final[name], last[name]) for name in final)
    assert all(
        torch.equal(value.cpu(), best[name])
        for name, value in trainer.output_model.state_dict().items()
        if name in best
    )
    card = (trainer.output_dir / "README.md").read_text()
    assert "The model is that of step 4, the best by this rule: highest script." in " ".join(card.split())
    assert "| base voice | 0.1 (0.1 to 0.1) |\n| **this voice**, step 4 | 0.8 (0.8 to 0.8) |" in card
    assert "| recordings | 0.9 (0.9 to 0.9) |" in card
    message = trainer.summary().closing_message()
    assert "that of step 4" in message and "script 0.8 (0.8 to 0.8; step 0 0.1, recordings 0.9)" in message


@pytest.mark.thorough
def test_the_card_has_results_that_huggingface_hub_reads(make_run):
    trainer = make_run(**SPEECH)
    trainer.train()
    results = ModelCard.load(trainer.output_dir / "README.md").data.eval_results
    found = {result.metric_type: result for result in results}
    assert found["wer"].metric_value == 100.0 and "percent" in found["wer"].metric_name
    last = values_of(trainer, "eval/similarity")[4]
    assert found["speaker_similarity"].metric_value == pytest.approx(last, abs=1e-4)
    assert found["speaker_similarity"].metric_args["measured_by"] == "two numbers"
    assert (found["wer"].task_type, found["wer"].metric_args["sentences"]) == ("text-to-speech", 2)


@pytest.mark.thorough
def test_a_run_ends_early_and_says_so(make_run, caplog):
    caplog.set_level("INFO")
    trainer = make_run(VALUES, **BEST, early_stopping_patience=1)
    progress = trainer.train()
    assert progress.step == 6 and trainer.is_finished
    assert "The run ended at step 6, since models did not get better. The model is that of step 4" in caplog.text
    assert "and a greater `--early_stopping_patience`" in caplog.text


@pytest.mark.thorough
def test_a_resumed_run_chooses_and_ends_as_one_that_was_not_interrupted(make_run, tmp_path):
    make_run(VALUES, **BEST, early_stopping_patience=2).train()
    make_run(VALUES[:4], **{**BEST, "max_steps": 4}, output_dir_name="again").train()  # stopped after its best step
    resumed = make_run(VALUES[4:], **BEST, early_stopping_patience=2, output_dir_name="again")
    resumed.train("latest")
    one, other = (weights(tmp_path / name) for name in ("out", "again"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert values_of(resumed, "eval/script") == {0: 0.1, 2: 0.3, 4: 0.8, 6: 0.2, 8: 0.4}


@pytest.mark.thorough
def test_a_run_that_is_resumed_with_another_recognizer_says_so(make_run, script, caplog):
    make_run(**SPEECH, max_steps=2).train()
    make_run(**SPEECH).train("latest")
    assert "cannot be compared" not in caplog.text
    make_run(**{**SPEECH, "eval_recognizer": "script:other"}, max_steps=6).train("latest")
    assert "wer was measured by script None, now by script other" in caplog.text


@pytest.mark.thorough
def test_metrics_of_recordings_are_of_the_evaluation_set_in_its_order(make_run, monkeypatch):
    """The fake compares first samples: that of the recording with that of its own sentence."""
    seen = []

    class Compared(Metric):
        title, needs_recording = "compared", True

        def score(self, utterance):
            seen.append((utterance.text, utterance.recording.text))
            return SentenceScore(float(utterance.recording.waveform[0]))

    METRICS.register("compared")(Compared)
    try:
        trainer = make_run(eval_metrics=["compared", "rhythm"], max_steps=2)
        trainer.train()
        assert seen[:2] == [("a hope", "a hope"), ("cabbage", "cabbage")]
        assert values_of(trainer, "recordings/compared") == {} and len(values_of(trainer, "eval/rhythm")) == 2
        with pytest.raises(ValueError, match="recordings of the same sentences: leave out `eval_texts`"):
            make_run(eval_metrics=["compared"], eval_texts=__file__)
    finally:
        METRICS.unregister("compared")


@pytest.mark.thorough
def test_metrics_that_a_crash_prevented_are_measured_at_the_resume(make_run, script):
    trainer = make_run(VALUES[:4], max_steps=4)
    trainer.train()
    file = trainer.output_dir / "history.jsonl"
    kept = [line for line in file.read_text().splitlines() if '"step": 4, "eval/script"' not in line]
    file.write_text("\n".join(kept) + "\n")
    again = make_run([0.7], max_steps=4)
    again.train("latest")
    assert values_of(again, "eval/script") == {0: 0.1, 2: 0.3, 4: 0.7}
    assert len([line for line in read_history(again.output_dir) if "eval/mel" in line]) == 3


@pytest.mark.thorough
def test_speakers_are_compared_with_recordings_of_their_own(
    make_trainer, make_start, make_data, script, speakers, monkeypatch
):
    names = ["ada", "bea"] * 4
    start = make_start(lively=True, **SMALLEST, **speakers)
    embed = lambda self, waveform, rate: np.asarray(waveform[10:12], dtype=np.float64)  # noqa: E731
    monkeypatch.setattr(script.TwoNumbers, "__call__", embed)
    from hf_vits.training import Columns

    trainer = make_trainer(
        start,
        make_data(8, voice=names),
        make_data(2, voice=names[:2]),
        Columns(speaker="voice"),
        max_steps=1,
        new_module_steps=0,
        **SPEECH,
    )
    trainer.train()
    assert set(trainer.speech.evaluator.metrics["similarity"].targets) == {0, 1}
    assert [sentence.speaker for sentence in trainer.speech.sentences] == [0, 1]
