"""Packages that are missing are named at once, with the commands that install them."""

import pytest

from hf_vits.evaluation.requirements import check_name, choose, missing_packages, require, version_of
from hf_vits.utils.registry import Registry


def test_all_missing_packages_are_in_one_error_and_each_command_once():
    packages = {"json": "never", "no_such_a": '"x[eval]"', "no_such_b": '"x[eval]"', "no_such_c": "c"}
    assert list(missing_packages(packages)) == ["no_such_a", "no_such_b", "no_such_c"]
    message = (
        r"It needs the packages no_such_a, no_such_b, no_such_c. Run `pip install \"x\[eval\]\"` and `pip install c`"
    )
    with pytest.raises(ImportError, match=message):
        require(packages, "It")
    require({"json": "never"}, "It")
    assert version_of("no_such_a") == "no_such_a" and version_of("torch").startswith("torch 2")


def test_without_a_name_the_first_is_chosen_whose_packages_are_installed():
    registry = Registry("thing")
    for name, module in (("far", "no_such_a"), ("near", "json")):
        registry.register(name)(type(name, (), {"packages": {module: "x"}}))
    assert choose(registry, None, "setting") == (registry["near"], None)
    assert choose(registry, "far: folder", "setting") == (registry["far"], "folder")
    for wrong in ("other", "near:"):
        with pytest.raises(ValueError, match=f"`setting` is '{wrong}'"):
            check_name(registry, wrong, "setting")
