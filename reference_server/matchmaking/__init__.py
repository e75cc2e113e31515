"""The engines behind one interface, and the routes that reach them."""
