"""Addresses are given out once, and come again only when all others were used."""

import pytest

from harness.network.vnet.addresses import AddressPool


def test_returned_addresses_come_last():
    """Packets still on their way to an old owner find nobody for as long as possible."""
    pool = AddressPool("192.0.2.0/29")
    first, *others = [pool.take() for _ in range(4)]
    pool.give_back(first)
    others += [pool.take() for _ in range(2)]
    assert first not in others
    assert pool.take() == first
    with pytest.raises(IndexError):
        pool.take()


def test_a_pool_knows_its_own():
    """Only the host addresses of its network are its own."""
    pool = AddressPool("192.0.2.0/29")
    assert "192.0.2.6" in pool
    assert "192.0.2.7" not in pool
    assert "198.51.100.1" not in pool
