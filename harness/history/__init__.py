"""What happened: ops, the outcome of a call, and the journal that keeps them."""
