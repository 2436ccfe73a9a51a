"""Every snippet of the README and the docs is true: Python runs, commands run or are taken by the real parsers."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import soundfile
import torch
from tiny_voices import TINY

import hf_vits.cli
import hf_vits.cli.synthesize
import hf_vits.cli.train
from hf_vits import TextToSpeechPipeline, VitsTokenizer, default_voice
from hf_vits.cli import VERBS
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.training import ModelInitialization, VitsTrainer

pytest.importorskip("onnx")
pytest.importorskip("phonemizer")
ROOT = Path(__file__).parents[1]
FILES = sorted([ROOT / "README.md", ROOT / "examples" / "README.md", *(ROOT / "docs").glob("*.md")])
LANGUAGES = ("python", "sh", "text", "mermaid")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(file):
    return str(file.relative_to(ROOT))


def blocks(file, language):
    return [content for kind, content in FENCE.findall(file.read_text(encoding="utf-8")) if kind == language]


def commands():
    """Commands of the blocks of shell, and those within the text that begin as one of ours, as lists of words."""
    found = []
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        prose = FENCE.sub("", text).replace("\\|", "|")
        ours = r"`((?:hf-vits (?:" + "|".join(VERBS) + r")|(?:accelerate launch|torchrun|python) \S*examples/"
        ours += r"|python benchmarks/|pytest )[^`]*)`"
        lines = [line for block in blocks(file, "sh") for line in block.splitlines()]
        lines += [" ".join(line.split()) for line in re.findall(ours, prose)]
        found += [(name_of(file), line) for line in lines if line.strip() and "…" not in line]
    # A verb alone, in the middle of a sentence, is no command.
    found = [(name, line) for name, line in found if line not in [f"hf-vits {verb}" for verb in VERBS]]
    return found


def words_of(line):
    """Commands of a line: words, without variables before and comments after them."""
    parts, words = [[]], shlex.shlex(line, posix=True, punctuation_chars="|&")
    words.whitespace_split = True
    for word in words:
        if word in ("|", "&&"):
            parts.append([])
        elif parts[-1] or not re.fullmatch(r"\w+=.*", word):
            parts[-1].append(word)
    return parts


@pytest.fixture(scope="module")
def voice(tmp_path_factory, make_model):
    """A small voice of letters, with all that training needs."""
    folder = tmp_path_factory.mktemp("voice") / "voice"
    make_model(vocab_size=60, sampling_rate=22_050).save_pretrained(folder)
    letters = {symbol: i for i, symbol in enumerate("_abcdefghijklmnopqrstuvwxyz .,?!'")}
    VitsTokenizer.from_vocab(letters, pad_token="_", phonemize=False).save_pretrained(folder)
    return folder


@pytest.fixture
def here(tmp_path, voice, monkeypatch):
    """A folder with what the snippets take for granted."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(voice, tmp_path / "voice")
    shutil.copytree(ROOT / "examples" / "recordings", tmp_path / "recordings")
    (tmp_path / "chapter.txt").write_text("A first sentence. A second one.")
    (tmp_path / "names.tsv").write_text("sentence\tphrase\n")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_block_says_what_it_is(file):
    kinds = [kind for kind, _ in FENCE.findall(file.read_text(encoding="utf-8"))]
    assert len(re.findall("^ *```", file.read_text(encoding="utf-8"), re.MULTILINE)) == 2 * len(kinds)
    assert set(kinds) <= set(LANGUAGES), f"{file} has blocks of {set(kinds) - set(LANGUAGES)}"


def run_python(file):
    """All Python of a file, one block after the other, as if it stood in one."""
    code = "\n".join(blocks(file, "python"))
    names = {"__name__": "__main__"}
    exec(compile(code, name_of(file), "exec"), names)
    return names


@pytest.mark.thorough
def test_the_python_of_the_readme_runs(here):
    speech = run_python(ROOT / "README.md")["speech"]
    assert speech["audio"].ndim == 1 and speech["sampling_rate"] == 22_050 and len(speech["audio"]) > 9000


def test_the_python_about_streaming_runs(here, capsys):
    code = [code for code in blocks(ROOT / "docs" / "streaming.md", "python") if "os.fork" not in code]
    exec("\n".join(code), {"__name__": "__main__"})
    assert 1 < soundfile.info(here / "chapter.wav").duration < 10
    assert "torch.Size([1, 5120])" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_python_about_forked_processes_runs(here):
    """In a process with two threads of its own, which would wait for a child that hangs for a minute and a half."""
    code = "\n".join(blocks(ROOT / "docs" / "streaming.md", "python"))
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow  # twenty seconds, of which training takes most
def test_the_python_about_vits2_runs(here):
    run_python(ROOT / "docs" / "vits2.md")


@pytest.mark.thorough
def test_the_python_about_prosody_and_ssml_runs(here):
    names = run_python(ROOT / "docs" / "ssml.md")
    assert [mark["name"] for mark in names["speech"]["marks"]] == ["end"]
    assert names["script"].ignored == ["<foo>, but for its text (line 1)"]


@pytest.mark.thorough
def test_the_python_about_timestamps_runs(here, capsys):
    from hf_vits.timestamps.formats import FORMATS

    words = run_python(ROOT / "docs" / "timestamps.md")["words"]
    FORMATS.unregister("tsv")
    assert [[word["text"] for word in item] for item in words] == [["Hello", "there."], ["How", "are", "you?"]]
    assert (here / "chapter.vtt").read_text().startswith("WEBVTT") and (here / "chapter.tsv").read_text().count(
        "\n"
    ) == 10
    assert capsys.readouterr().out.startswith("Dr. 0.")


@pytest.mark.thorough
def test_the_python_about_text_runs(here, capsys):
    pytest.importorskip("unicode_rbnf")
    run_python(ROOT / "docs" / "text.md")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "['Dr.', 'Smith', 'paid', '$3.50', 'on', '3/14/2024.']"
    assert printed[1] == "fünf Kilogramm am dritten Mai" and printed[3] == "April third"
    assert (here / "tokenizer" / "lexicon.tsv").read_text(encoding="utf-8") == "Nguyen\t[[wˈɪn]]\n"


@pytest.mark.thorough
def test_the_python_about_alignment_runs(here):
    alignment = run_python(ROOT / "docs" / "alignment.md")["alignment"]
    assert [word["text"] for word in alignment.words] == ["Nobody", "is", "available", "to", "take", "your", "call."]
    assert (here / "recording.TextGrid").read_text().startswith('File type = "ooTextFile"')


def test_the_python_about_conversion_runs(here, voice, monkeypatch):
    convert = hf_vits.convert  # a folder stands for the file of another project, whose readers have tests of their own
    monkeypatch.setattr("hf_vits.conversion.convert", lambda file: convert(voice))
    shutil.rmtree(here / "voice")
    run_python(ROOT / "docs" / "conversion.md")
    assert (here / "voice" / "model.safetensors").is_file()


def test_the_python_about_the_doctor_runs(here):
    run_python(ROOT / "docs" / "doctor.md")


def test_the_python_about_the_demo_runs():
    pytest.importorskip("gradio")
    run_python(ROOT / "docs" / "demo.md")


def test_the_python_about_evaluation_runs():
    from hf_vits.evaluation import METRICS

    run_python(ROOT / "docs" / "evaluation.md")
    METRICS.unregister("loudness")


def test_the_python_about_home_assistant_serves_the_voice(monkeypatch):
    pytest.importorskip("wyoming.event")
    from hf_vits.serving.wyoming import WyomingServer

    served = []

    async def serve(self, uri):
        served.append(([voice.name for voice in self.service.info.tts[0].voices], uri))

    monkeypatch.setattr(WyomingServer, "serve", serve)
    run_python(ROOT / "docs" / "home_assistant.md")
    assert served == [(["joe"], "tcp://127.0.0.1:10200")]


def test_the_python_about_training_runs_up_to_the_first_step(here, monkeypatch):
    """With a small voice; that steps are taken is tested in tests/training."""
    ran, load = [], ModelInitialization.from_pretrained
    discriminators = VitsDiscriminatorConfig().scale_channels_by(0.02)
    monkeypatch.setattr(ModelInitialization, "from_pretrained", lambda name: load("voice", config=discriminators))
    monkeypatch.setattr(
        VitsTrainer,
        "train",
        lambda self, resume_from_checkpoint: ran.append((self.args.max_steps, resume_from_checkpoint)),
    )
    run_python(ROOT / "docs" / "training.md")
    assert ran == [(8000, "latest")]


def of_export():
    """The Python about export: what runs with this package and onnxruntime, and what needs sherpa-onnx."""
    found = blocks(ROOT / "docs" / "export.md", "python")
    sherpa = [code for code in found if "sherpa_onnx" in code]
    return [code for code in found if code not in sherpa], sherpa


def test_the_python_about_export_compiles():
    own, sherpa = of_export()
    assert len(own) == len(sherpa) == 2
    for code in own + sherpa:
        compile(code, "docs/export.md", "exec")


@pytest.mark.slow
def test_the_python_about_export_runs(here):
    pytest.importorskip("onnxruntime")
    (first, second), _ = of_export()
    names = {"__name__": "__main__"}
    exec(first, names)
    names["export"](names["model"], names["tokenizer"], "out", target="split", overwrite=True)
    exec(second, names)
    assert soundfile.info(here / "hello.wav").frames > 0


@pytest.fixture
def extending(monkeypatch):
    """The Python of the page about extending, as a module; what it registers is removed afterwards."""
    from hf_vits.cli import VERBS
    from hf_vits.conversion import FORMATS
    from hf_vits.discriminators.base import DISCRIMINATORS
    from hf_vits.modules.decoders.base import DECODERS
    from hf_vits.training.losses import LOSSES

    page = types.ModuleType("extending_page")
    monkeypatch.setitem(sys.modules, page.__name__, page)
    exec(compile("\n".join(blocks(ROOT / "docs" / "extending.md", "python")), "extending.md", "exec"), vars(page))
    yield page
    added = ((DECODERS, "linear"), (DISCRIMINATORS, "difference"), (LOSSES, "loudness"), (FORMATS, "acme"))
    for registry, name in added:
        registry.unregister(name)
    del VERBS["rate"]


def test_the_parts_of_the_page_about_extending_train_together(extending, make_trainer, make_data):
    from hf_vits import VitsConfig, VitsModel
    from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
    from hf_vits.training import ModelInitialization

    fields = {name: value for name, value in TINY.items() if not name.startswith(("upsample_", "resblock_"))}
    config = VitsConfig(**fields, sampling_rate=2000, decoder={"type": "linear", "hop": 8})
    added = extending.discriminators.additional_discriminators
    small = VitsDiscriminatorConfig(
        periods=[2], period_channels=[4], scale_channels=[4] * 6, additional_discriminators=added
    )
    trainer = make_trainer(start=ModelInitialization.from_scratch(config, small), data=make_data(4), max_steps=1)
    trainer.train()
    assert type(VitsModel.from_pretrained(trainer.output_dir).decoder) is extending.LinearDecoder
    assert trainer.args.weights["loudness"] == 0.1


def test_the_format_and_the_verb_of_the_page_about_extending_work(extending, make_model, tmp_path, capsys):
    from hf_vits.cli import main
    from hf_vits.conversion import convert

    model = make_model()
    known = {name: getattr(model.config, name) for name in ("upsample_rates", "resblock_dilation_sizes")}
    tensors = {f"acme.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"model": tensors, **known}, tmp_path / "voice.acme")
    convert(tmp_path / "voice.acme").save(tmp_path / "voice")
    assert main(["rate", str(tmp_path / "voice")]) in (0, None)
    assert capsys.readouterr().out.strip() == str(model.config.sampling_rate)


def check_script(words, monkeypatch):

    name, arguments = Path(words[0]).stem, words[1:]
    if words[0].startswith("benchmarks/"):
        source = (ROOT / words[0]).read_text(encoding="utf-8")
        assert all(f'"{word}"' in source for word in arguments if word.startswith("--")), words
        return
    if name in ("train", "synthesize_dataset"):
        check_verb(["hf-vits", name.removesuffix("_dataset"), *arguments], monkeypatch)
    else:
        assert (ROOT / "examples" / f"{name}.py").is_file()


def check_launcher(words, monkeypatch):
    """The launcher's own arguments by its own parser, then those of the script or module."""
    place = next(i for i, word in enumerate(words) if word.endswith(".py") or word == "hf_vits.cli")
    if words[0] == "accelerate":
        from accelerate.commands.launch import launch_command_parser

        launch_command_parser().parse_args(words[2 : place + 1])
    else:
        from torch.distributed.run import get_args_parser

        get_args_parser().parse_args(words[1 : place + 1])
    if words[place] == "hf_vits.cli":
        check_verb(words[place:], monkeypatch)
    else:
        check_script(words[place:], monkeypatch)


def check_pip(words):
    """Extras that exist, of this repository; or a package of another, which its own documentation tells of."""
    for word in words[2:]:
        if found := re.fullmatch(r"\.\[([\w,]+)\]", word):
            extras = re.findall(
                r'^(?:extras\["|    ")(\w+)"\]?(?::| =) \[', (ROOT / "setup.py").read_text(), re.MULTILINE
            )
            assert set(found[1].split(",")) <= set(extras), word
        else:
            assert word in ("-e", "--editable", "piper-tts", "sherpa-onnx"), word


def check_make(words):
    subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, check=True)


ELSEWHERE = ("aplay", "curl", "python3")
"""Programs whose arguments are not ours."""


def check_verb(words, monkeypatch):
    """The real parser of the command line, with a verb that only notes that it was run."""
    ran = []
    with monkeypatch.context() as patch:
        for verb in VERBS:
            patch.setattr(f"hf_vits.cli.{verb}.run", lambda options: ran.append(options.verb))
        for verb in ("train", "synthesize"):  # which check their settings when they run
            module = getattr(hf_vits.cli, verb)
            check = lambda options, module=module: ran.append(module.settings(options) and options.verb)  # noqa: E731
            patch.setattr(module, "run", check)
        assert hf_vits.cli.main(words[1:]) == 0
    assert ran == [words[1]]


def check(words, monkeypatch):
    program = Path(words[0]).name
    if program == "hf-vits":
        check_verb(words, monkeypatch)
    elif program in ("accelerate", "torchrun"):
        check_launcher(words, monkeypatch)
    elif program == "python" and words[1] != "-m":
        check_script(words[1:], monkeypatch)
    elif program == "pip":
        check_pip(words)
    elif program == "pytest":
        assert all((ROOT / word).exists() for word in words[1:] if word.startswith("tests/"))
    elif program == "make":
        check_make(words)
    else:
        assert program in (*ELSEWHERE, "python"), f"nothing here checks {program}"


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("file", sorted({name for name, _ in commands()}))
def test_commands_are_taken_by_what_they_are_given_to(file, here, monkeypatch, capsys):
    for line in [line for name, line in commands() if name == file]:
        for words in words_of(line):
            try:
                check(words, monkeypatch)
            except (AssertionError, SystemExit) as error:
                is_help = isinstance(error, SystemExit) and not error.code
                assert is_help, f"{line}: {error} {capsys.readouterr().err}"


def test_a_command_with_a_mistake_would_be_found(here, monkeypatch):
    for line in (
        "hf-vits speak Hello --sped 2",
        "accelerate launch examples/train.py --dataset_nam recordings",
        "accelerate launch --processes 2 examples/train.py --dataset_name recordings",
        'pip install -e ".[everything]"',
        "pip install hf-vits",
        "python benchmarks/decode.py --thread 1",
        "pytest tests/no_such_test.py",
        "frobnicate",
    ):
        with pytest.raises((AssertionError, SystemExit)):
            check(words_of(line)[0], monkeypatch)


@pytest.mark.thorough
def test_commands_that_speak_do_so(here, monkeypatch, capfdbinary):
    """Those with the default voice, in one process, which loads it once."""
    pipe = TextToSpeechPipeline("default")
    monkeypatch.setattr("hf_vits.cli.speech_runtime._pipeline", lambda voice, dtype: pipe)
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    spoken = [words for _, line in commands() for words in words_of(line)[:1] if words[1:2] == ["speak"]]
    spoken = [words for words in spoken if not {"--voice", "--explain"} & set(words)]
    assert len(spoken) >= 4
    for words in spoken:
        capfdbinary.readouterr()
        for file in (*here.glob("chapter.[!t]*"), *here.glob("hello.*")):  # as if each command stood alone
            file.unlink()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"A sentence on standard input.")))
        assert hf_vits.cli.main(words[1:]) == 0, words
        output = words[words.index("--output") + 1] if "--output" in words else "speech.wav"
        if output == "-":
            assert len(capfdbinary.readouterr().out) > 22_050
        else:
            assert 0.3 < soundfile.info(here / output).duration < 10
            assert soundfile.info(here / output).format == Path(output).suffix[1:].upper()
        for option, file in zip(words, words[1:], strict=False):  # which another command may write
            if option in ("--output", "--subtitles") and file != "-":
                (here / file).unlink()


def test_the_doctors_command_finds_the_voice_good(here, capsys):
    assert hf_vits.cli.main(["doctor", "voice/"]) == 0
    assert "synthesis: yes" in capsys.readouterr().out


SENTENCES = {
    "de": "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "fr-fr": "Portez ce vieux whisky au juge blond qui fume sur son île intérieure.",
    "it": "Quel vituperabile xenofobo zelante assaggia il whisky ed esclama: alleluja!",
    "pl": "Pchnąć w tę łódź jeża lub ośm skrzyń fig.",
    "pt-br": "Luís argüia à Júlia que brações, fé, chá, óxido, pôr, zângão eram palavras do português.",
    "ru": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "es": "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío.",
}


@pytest.mark.parametrize(("language", "text"), SENTENCES.items())
def test_the_default_voice_has_the_phonemes_of_the_languages_that_the_docs_name(language, text):
    tokenizer = VitsTokenizer.from_pretrained(default_voice(), phoneme_language=language)
    assert not tokenizer.dropped_characters(text)


def test_help_tells_of_phoneme_blocks_and_formats(capsys):
    with pytest.raises(SystemExit):
        hf_vits.cli.main(["speak", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "[[ ]]" in printed and {"wav", "flac", "ogg", "mp3"} <= set(re.findall(r"\w+", printed))
