"""From a stored run to a terminal summary and a page."""
