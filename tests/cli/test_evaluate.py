"""`hf-vits evaluate` prints the figures of its report, and takes its settings like the other verbs."""

import fake_instruments
import pytest

from hf_vits.cli import main

pytest.importorskip("jiwer")
pytest.importorskip("datasets")
pytest.importorskip("matplotlib")


def test_it_prints_figures_with_intervals_and_where_the_report_is(saved_voice, tmp_path, capsys):
    saved_voice(tmp_path / "voice")
    (tmp_path / "texts.txt").write_text("feed me\na hope\n")
    output = str(tmp_path / "report")
    options = ["--texts", str(tmp_path / "texts.txt"), "--output_dir", output, "--cpu_threads", "1"]
    fakes = ["--recognizer", "script", "--language", "xx", "--metrics", "wer,cer"]
    with fake_instruments.registered():
        assert not main(["evaluate", str(tmp_path / "voice"), *options, *fakes])
    printed = capsys.readouterr().out
    assert "voice: wer 100.0 % (100.0 % to 100.0 %), cer 100.0 % (100.0 % to 100.0 %)" in printed
    assert f"{output}/index.html" in printed and (tmp_path / "report" / "report.json").is_file()


def test_a_wrong_setting_ends_it_with_status_2(tmp_path, capsys):
    assert main(["evaluate", "default", "--metrics", "wre", "--texts", "t"]) == 2
    assert "no metric 'wre'" in capsys.readouterr().err
