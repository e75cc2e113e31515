"""How often somebody may do something: windows that all instances share."""
