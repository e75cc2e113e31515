"""What every HTTP part shares: errors, bodies, the caller."""
