"""What a user does: personas and the virtual user that plays them."""
