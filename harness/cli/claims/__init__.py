"""`gurukul claims`: every figure and promise of the design document, tested by experiments on both engines."""
