"""What is done from time to time, by one instance for all."""
