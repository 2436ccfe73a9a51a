"""Each fault gives exactly its own finding, and where a command is given that mends it, it does."""

import shlex
import shutil
import subprocess
import sys

import pytest
import torch
from provoked import ONE_SPEAKER, THREE_SPEAKERS, symbols, tokenizer
from safetensors.torch import load_file
from tiny_voices import enliven

from hf_vits import VitsConfig, VitsModel
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.doctor import Report, examine

INPUT = "posterior_encoder.conv_pre.weight"

ALSO = {
    "trial.silent": {"values.constant"},
    "trial.model": {"config.stock_refuses"},
    "weights.norm_half": {"weights.missing"},  # without g, the layer has no weight
}
"""What a fault cannot but bring with it."""


def serious(report: Report) -> set[str]:
    return {found.id for found in report.findings if found.severity != "note"}


def follow(command: str) -> None:
    """Does what the command says, in this process if it is a line of Python."""
    words = shlex.split(command)
    if words[:2] == ["python", "-c"]:
        exec(words[2], {})
    else:
        subprocess.run(words, check=True)


def check(voice, fault, provoke, severity, mends):
    expected = fault.split(",")[0]
    provoke(voice)
    report = examine(voice.path)
    found = {finding.id: finding for finding in report.findings}
    assert expected in found, found
    assert found[expected].severity == severity
    assert serious(report) - {expected} <= ALSO.get(expected, set()), report.findings
    assert report.exit_code() == (severity == "error") and report.exit_code(strict=True) == (severity != "note")
    assert bool(found[expected].command) >= mends and (found[expected].mend or severity == "note")
    if mends:
        follow(found[expected].command)
        mended = voice.path.with_name("voice-mended")
        again = examine(mended if mended.exists() else voice.path)
        assert expected not in {finding.id for finding in again.findings}
        assert not serious(again), again.findings
        assert again.verdict["speaks here"].startswith("yes")


@pytest.mark.parametrize(("fault", "case"), ONE_SPEAKER.items(), ids=ONE_SPEAKER)
def test_a_fault_gives_exactly_its_finding_and_the_command_mends_it(voice, fault, case):
    check(voice, fault, *case)


@pytest.mark.parametrize(("fault", "case"), THREE_SPEAKERS.items(), ids=THREE_SPEAKERS)
def test_so_does_a_fault_of_speakers(speakers_voice, fault, case):
    check(speakers_voice, fault, *case)


def test_a_healthy_voice_has_notes_at_most(healthy, healthy_speakers):
    for folder in (healthy, healthy_speakers):
        report = examine(folder)
        assert [found.id for found in report.findings] == ["signal.layerdrop"]
        assert report.exit_code(strict=True) == 0


def test_faults_do_not_hide_each_other(voice):
    alone = ["values.not_finite", "config.misspelt_field", "tokenizer.id_outside", "signal.features", "licence.base"]
    for fault in alone:
        ONE_SPEAKER[fault][0](voice)
    voice.add_judges()
    ONE_SPEAKER["judges.not_finite"][0](voice)
    assert serious(examine(voice.path)) == {*alone, "judges.not_finite"}


def test_an_fft_as_long_as_the_hop_misses_nothing(voice):
    voice.change("config.json", spectrogram_bins=5)
    voice.rewrite(lambda table: table.update({INPUT: table[INPUT][:, :5]}))
    config = VitsConfig.from_pretrained(voice.path)
    assert config.fft_size == config.hop_length and not serious(examine(voice.path))


def test_a_mended_voice_sounds_as_before(voice):
    from hf_vits import VitsModel

    ids = torch.arange(1, 12)[None]
    before = VitsModel.from_pretrained(voice.path)(ids, noise_scale=0.0, noise_scale_duration=0.0).waveform
    ONE_SPEAKER["weights.norm_old, mixed"][0](voice)
    command = next(f.command for f in examine(voice.path).findings if f.id == "weights.norm_old")
    shell = subprocess.run(
        f"PATH={shlex.quote(str(voice.path))} ; {command.replace('python', sys.executable, 1)}", shell=True
    )
    assert shell.returncode == 0  # as a shell reads it, quotes and all
    mended = voice.path.with_name("voice-mended")
    after = VitsModel.from_pretrained(mended)(ids, noise_scale=0.0, noise_scale_duration=0.0).waveform
    assert torch.equal(before, after)
    assert not [name for name in load_file(mended / "model.safetensors") if name.endswith(("weight_g", "weight_v"))]


def test_a_configuration_without_an_end_is_not_built(voice):
    voice.change("config.json", posterior_encoder_num_wavenet_layers=2**30)
    assert serious(examine(voice.path)) == {"config.disagrees"}
    (voice.path / "model.safetensors").unlink()
    assert serious(examine(voice.path)) == {"config.size", "files.no_weights"}


def test_a_layer_that_looks_too_far_is_not_tried(voice):
    def deeper(table):
        table |= {name.replace("in_layers.0", "in_layers.1"): tensor.clone() for name, tensor in table.items()}
        table |= {name.replace("res_skip_layers.0", "res_skip_layers.1"): t.clone() for name, t in table.items()}
        return {
            name: torch.cat([tensor, tensor]) if ".res_skip_layers.0." in name and "posterior" not in name else tensor
            for name, tensor in table.items()
            if "posterior" not in name or "s.1." not in name
        }

    voice.rewrite(deeper)
    voice.change("config.json", prior_encoder_num_wavenet_layers=2)
    assert not serious(examine(voice.path))
    voice.change("config.json", wavenet_dilation_rate=2**30)
    assert serious(examine(voice.path)) == {"config.size"}


def test_a_checkpoint_of_a_run_is_a_voice_that_can_be_trained_on(healthy, tmp_path):
    from hf_vits import VitsModel, VitsTokenizer
    from hf_vits.training.checkpoints import save_checkpoint, write_voice

    model, tokenizer = VitsModel.from_pretrained(healthy), VitsTokenizer.from_pretrained(healthy)
    judges = VitsDiscriminator(VitsDiscriminatorConfig(period_channels=[4, 4], scale_channels=[4] * 6))
    folder = save_checkpoint(tmp_path, 3, 1, lambda new: write_voice(new, model, tokenizer, judges), {"step": 3})
    report = examine(folder)
    assert not serious(report) and "files.checkpoint" in {finding.id for finding in report.findings}
    assert report.verdict["can be trained"].startswith("yes, at once")


def test_where_one_stands_has_a_name_for_commands(voice, monkeypatch):
    ONE_SPEAKER["weights.norm_old"][0](voice)
    monkeypatch.chdir(voice.path)
    follow(next(found.command for found in examine(".").findings if found.id == "weights.norm_old"))
    assert not serious(examine("../voice-mended"))


def test_the_original_symbols_are_explained(voice):
    """177 symbols for 178 rows, with one id that no symbol has."""

    def original(table):
        characters = [chr(0x250 + number) for number in range(178)]
        table.clear()
        table.update({character: index for index, character in enumerate(characters) if index != 174})

    symbols(original)(voice)
    voice.change("config.json", vocab_size=178)
    voice.rewrite(lambda table: table.update({"text_encoder.embed_tokens.weight": torch.randn(178, 16)}))
    found = {finding.id: finding for finding in examine(voice.path).findings}
    assert "178" in found["tokenizer.original_symbols"].text and "tokenizer.unused_rows" not in found


def test_a_voice_that_reads_phonemes_needs_a_language_that_espeak_has(voice):
    tokenizer(phonemize=True, language="deu", unk_token="_")(voice)
    assert serious(examine(voice.path)) == {"tokenizer.stock_phonemes"}
    tokenizer(phonemize=True, phoneme_language="zz-nowhere", tokenizer_class="HfVitsTokenizer")(voice)
    assert serious(examine(voice.path)) == {"tokenizer.phoneme_language"}


def test_packages_that_the_voice_needs_are_named(voice, monkeypatch):
    tokenizer(is_uroman=True)(voice)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert serious(examine(voice.path)) == {"tokenizer.uroman"}
    tokenizer(phonemize=True, upstream_compatible=True, unk_token="_")(voice)
    assert serious(examine(voice.path)) == {"tokenizer.phonemizer"}
    monkeypatch.undo()
    tokenizer(phonemize=True, upstream_compatible=False, is_uroman=False, unk_token="_")(voice)

    def absent(*_):
        raise ImportError("espeak-ng")

    monkeypatch.setattr("hf_vits.text.espeak.clauses", absent)
    found = {finding.id: finding for finding in examine(voice.path).findings}
    assert "phonemes" in found["tokenizer.espeak"].command


def test_judges_beside_a_voice_are_found_and_moved(voice):
    voice.add_judges()
    (voice.path / "discriminator" / "model.safetensors").rename(voice.path / "model_1.safetensors")
    for file in (voice.path / "discriminator").iterdir():
        file.unlink()
    (voice.path / "discriminator").rmdir()
    report = examine(voice.path)
    found = {finding.id: finding for finding in report.findings}
    assert found["judges.beside"].severity == "note" and "discriminator=" in report.verdict["can be trained"]
    follow(found["judges.beside"].command)
    (voice.path / "model_1.safetensors").unlink()
    assert examine(voice.path).verdict["can be trained"].startswith("yes, at once")


def test_a_voice_of_several_languages_is_healthy_and_spoken(voice, tmp_path):
    fields = {"num_languages": 2, "language_embedding_size": 4, "language_names": ["en", "cs"]}
    enliven(VitsModel(VitsConfig(**{**voice.table("config.json"), "model_type": "vits", **fields}))).save_pretrained(
        tmp_path / "several"
    )
    for name in ("vocab.json", "tokenizer_config.json", "README.md"):
        shutil.copy(voice.path / name, tmp_path / "several")

    report = examine(tmp_path / "several")

    assert not serious(report), report.findings
    assert report.verdict["speaks here"].startswith("yes")
    assert report.verdict["can be trained"].startswith("no")
