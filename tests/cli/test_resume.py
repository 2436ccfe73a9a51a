"""The state of stopped speech comes back as it was written, and for the same work alone."""

import pytest
import torch

from hf_vits.cli.resume import NAMES, Unfinished, encode_state, read_unfinished, remove_unfinished, write_unfinished

WORK = {name: None for name in NAMES} | {"text": "a", "seed": 3}


def test_the_random_generator_goes_on_where_it_stopped(tmp_path):
    output, generator = tmp_path / "a.wav", torch.Generator().manual_seed(1)
    torch.rand(7, generator=generator)
    write_unfinished(output, Unfinished(WORK, 2, 500, encode_state(generator.get_state())))
    found = read_unfinished(output, WORK)
    again = torch.Generator()
    again.set_state(found.state())
    assert (found.sentences, found.samples) == (2, 500)
    assert torch.equal(torch.rand(5, generator=again), torch.rand(5, generator=generator))
    remove_unfinished(output)
    assert list(tmp_path.iterdir()) == [] and read_unfinished(output, WORK) is None


def test_other_options_are_an_error_that_names_them(tmp_path):
    write_unfinished(tmp_path / "a.wav", Unfinished(WORK, 2, 500, ""))
    with pytest.raises(ValueError, match="the text differs, --seed was 3, now 4.*--resume"):
        read_unfinished(tmp_path / "a.wav", WORK | {"text": "b", "seed": 4})
