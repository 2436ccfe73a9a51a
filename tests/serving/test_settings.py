from dataclasses import fields

import pytest

from hf_vits.serving.encoders.base import RATES
from hf_vits.serving.settings import ServerSettings


@pytest.mark.parametrize("name", [field.name for field in fields(ServerSettings) if field.name.startswith("max_")])
@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_is_above_zero(name, value):
    with pytest.raises(ValueError, match=f"`{name}` is {value}; it must be above 0"):
        ServerSettings(**{name: value})


@pytest.mark.parametrize("name", [field.name for field in fields(ServerSettings) if field.name.endswith("_seconds")])
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_time_is_above_zero(name, value):
    with pytest.raises(ValueError, match=f"`{name}` is {value}; it must be above 0"):
        ServerSettings(**{name: value})


def test_a_rate_is_one_that_formats_have():
    assert [ServerSettings(sample_rate=rate).sample_rate for rate in RATES] == list(RATES)
    for rate in (RATES[0] - 1, RATES[1] + 1):
        with pytest.raises(ValueError, match=f"`sample_rate` is {rate}"):
            ServerSettings(sample_rate=rate)


@pytest.mark.parametrize("key", ["", " a b", "a b\n", "schlüssel"])
def test_a_key_that_no_header_can_give_is_an_error_that_does_not_show_it(key):
    with pytest.raises(ValueError, match="must be ASCII characters without white space") as caught:
        ServerSettings(api_key=key)
    assert not key or key.strip() not in str(caught.value)
