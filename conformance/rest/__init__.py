"""REST as PostgREST speaks it: filters, writes, functions, errors, and who may see and change what."""
