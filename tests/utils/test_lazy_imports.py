"""A public name is imported when it is first used."""

import sys

import pytest

from hf_vits.utils.lazy_imports import lazy_attributes


def test_a_name_is_imported_on_use_and_an_unknown_one_is_an_error_with_those_there_are(tmp_path, monkeypatch):
    (tmp_path / "lazy_package").mkdir()
    (tmp_path / "lazy_package" / "__init__.py").touch()
    (tmp_path / "lazy_package" / "inner.py").write_text("Thing = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    attribute = lazy_attributes("lazy_package", {"Thing": "inner"})
    assert "lazy_package.inner" not in sys.modules
    assert attribute("Thing") == 7 == sys.modules["lazy_package.inner"].Thing
    with pytest.raises(AttributeError, match="'lazy_package' has no attribute 'Other'; it has Thing"):
        attribute("Other")
