from dataclasses import fields

import pytest
import torch

from hf_vits.data.batch import VitsBatch


@pytest.mark.parametrize("speaker_id", [None, torch.tensor([1, 0])])
def test_a_batch_is_moved_whole_and_has_the_length_of_its_items(speaker_id):
    batch = VitsBatch(
        input_ids=torch.zeros(2, 5, dtype=torch.long),
        text_lengths=torch.tensor([5, 3]),
        waveform=torch.zeros(2, 1, 40),
        waveform_lengths=torch.tensor([40, 30]),
        rows=torch.tensor([7, 8]),
        speaker_id=speaker_id,
    )
    assert len(batch) == 2
    moved = batch.to("meta")
    for field in fields(batch):
        before, after = getattr(batch, field.name), getattr(moved, field.name)
        assert (after is None) if before is None else (after.is_meta and after.shape == before.shape), field.name
