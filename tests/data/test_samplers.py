import pytest
import torch

from hf_vits.data.samplers import LengthGroupedBatchSampler

LENGTHS = torch.randint(100, 2000, (997,), generator=torch.Generator().manual_seed(0)).tolist()


def test_an_epoch_takes_every_clip_once():
    taken = [clip for batch in LengthGroupedBatchSampler(LENGTHS, 8) for clip in batch]
    assert sorted(taken) == list(range(997))


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_each_batch_of_a_single_process_between_them(processes):
    alone = list(LengthGroupedBatchSampler(LENGTHS[:960], 12))
    shares = [
        list(LengthGroupedBatchSampler(LENGTHS[:960], 12 // processes, process_index=i, num_processes=processes))
        for i in range(processes)
    ]
    assert len({len(share) for share in shares}) == 1
    for batch, *parts in zip(alone, *shares, strict=True):
        assert sorted(batch) == sorted(clip for part in parts for clip in part)
        assert {len(part) for part in parts} == {12 // processes}


def test_no_clip_is_lost_and_every_process_has_as_many_where_they_do_not_divide():
    shares = [
        [c for b in LengthGroupedBatchSampler(LENGTHS, 5, process_index=i, num_processes=3) for c in b]
        for i in range(3)
    ]
    assert len({len(share) for share in shares}) == 1
    assert set(sum(shares, [])) == set(range(997))


def test_batches_are_of_like_length():
    def padding(batches):
        return sum(max(LENGTHS[c] for c in batch) * len(batch) for batch in batches) / sum(LENGTHS)

    shuffled = torch.randperm(997).tolist()
    assert (
        padding(LengthGroupedBatchSampler(LENGTHS, 8)) < 1.05 < padding([shuffled[i : i + 8] for i in range(0, 997, 8)])
    )


def test_the_order_is_that_of_seed_and_epoch():
    first, second = LengthGroupedBatchSampler(LENGTHS, 8, seed=1), LengthGroupedBatchSampler(LENGTHS, 8, seed=1)
    assert list(first) == list(second)
    second.set_epoch(1)
    assert list(first) != list(second)
    first.set_epoch(1)
    assert list(first) == list(second)
    assert list(LengthGroupedBatchSampler(LENGTHS, 8, seed=2)) != list(LengthGroupedBatchSampler(LENGTHS, 8, seed=1))


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_a_batch_of_a_process_holds_no_more_samples_than_allowed(processes):
    shares = [
        list(LengthGroupedBatchSampler(LENGTHS, 8, max_samples=6000, process_index=i, num_processes=processes))
        for i in range(processes)
    ]
    assert {c for share in shares for b in share for c in b} == set(range(997))
    assert len({tuple(map(len, share)) for share in shares}) == 1
    padded = [max(LENGTHS[c] for c in b) * len(b) for share in shares for b in share]
    assert 5500 < max(padded) <= 6000


def test_a_clip_longer_than_a_batch_may_be_is_an_error():
    with pytest.raises(ValueError, match="1500"):
        LengthGroupedBatchSampler(LENGTHS, 8, max_samples=1500)
