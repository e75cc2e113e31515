"""Where peers live: the addresses that they gather candidates on."""
