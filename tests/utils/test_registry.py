import pytest

from hf_vits import VitsConfig
from hf_vits.utils.registry import Registry


def test_a_name_is_registered_once():
    registry = Registry("part")
    registry.register("one")(int)
    with pytest.raises(ValueError, match="a part 'one' already: <class 'int'>"):
        registry.register("one")(float)
    assert list(registry) == ["one"] and registry["one"] is int


@pytest.mark.parametrize("name", ["on", "", 1, None, ["one"], {"one": 1}])
def test_any_other_name_is_an_error_that_lists_the_registered_ones(name):
    registry = Registry("part")
    registry.register("one")(int)
    assert name not in registry
    with pytest.raises(ValueError, match=r"There is no part .*Registered: one\."):
        registry[name]


@pytest.mark.parametrize("kind", ["hifi", ["hifigan"], {}, 3])
def test_a_configuration_with_an_unknown_type_of_decoder_is_an_error_that_lists_them(kind):
    with pytest.raises(ValueError, match="There is no decoder .*Registered: .*hifigan"):
        VitsConfig(decoder={"type": kind})
