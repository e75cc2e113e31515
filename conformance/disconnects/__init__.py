"""Tests of the DISC-* requirements: what the partner of somebody who goes, is cut off or comes back is told."""
