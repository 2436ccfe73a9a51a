"""What Linux tells of a processor, and what is said of it elsewhere."""

import platform

from hf_vits.utils import processor


def test_the_name_is_read_and_caches_of_instructions_are_left_out(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast 9 \nmodel name\t: Other\n")
    for number, parts in enumerate((("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K"))):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        for name, text in zip(("level", "type", "size"), parts, strict=True):
            (folder / name).write_text(f"{text}\n")
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor, "CACHES", tmp_path)
    assert processor.model_name().strip() == "Fast 9" and processor.cache_sizes() == ["L1 48K", "L2 1024K"]


def test_elsewhere_the_name_is_that_of_the_architecture_and_no_cache_is_known(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor, "CACHES", tmp_path / "cache")
    assert processor.model_name() in (platform.processor(), platform.machine()) and processor.cache_sizes() == []
