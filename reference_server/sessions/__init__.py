"""The life of a chat session: signs of life, and its end when a member vanishes."""
