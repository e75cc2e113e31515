"""While such work runs nothing is collected, and afterwards it is as before."""

from __future__ import annotations

import gc

import pytest

from harness.history.quiet_memory import search_less_for_garbage, without_collection


@without_collection
def collecting(fail: bool = False) -> bool:
    """Whether cycles are collected in here."""
    if fail:
        raise ValueError
    return gc.isenabled()


def test_nothing_is_collected_meanwhile():
    """Nor in work that such work calls."""
    assert (collecting(), without_collection(collecting)(), gc.isenabled()) == (False, False, True)


def test_an_error_leaves_it_as_it_was():
    """Collection goes on."""
    with pytest.raises(ValueError):
        collecting(fail=True)
    assert gc.isenabled()


def test_who_had_turned_it_off_finds_it_off():
    """It is not turned on behind his back."""
    gc.disable()
    try:
        assert collecting() is False
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_generator_searches_seldom():
    """Later, and among less than before."""
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        search_less_for_garbage()
        assert all(now > before for now, before in zip(gc.get_threshold(), usual, strict=True))
        assert gc.get_freeze_count() > frozen
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
