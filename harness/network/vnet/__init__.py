"""A network inside the process: hosts, NATs, lines and servers for unmodified asyncio programs, on its own clock."""
