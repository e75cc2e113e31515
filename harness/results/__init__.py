"""What a run says: versioned models, and the store that keeps them."""
