"""Threads wait as the user says, else briefly."""

import os

import pytest

from hf_vits.utils.waiting import SPINS, wait_briefly


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"GOMP_SPINCOUNT": SPINS, "OMP_WAIT_POLICY": "PASSIVE"}),
        ({"GOMP_SPINCOUNT": "5"}, {"GOMP_SPINCOUNT": "5", "OMP_WAIT_POLICY": "PASSIVE"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_what_the_user_set_is_kept(monkeypatch, given, expected):
    monkeypatch.setattr(os, "environ", dict(given))
    wait_briefly()
    assert os.environ == expected
