"""The SDK: one signed-in user of a target, behind a dialect."""
