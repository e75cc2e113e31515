"""What is known of targets: strict lists of the requirements that they are expected to break."""
