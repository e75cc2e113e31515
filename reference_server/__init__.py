"""The reference implementation of the documented stack, faults included, and hardened."""
