"""The description of everything that the server answers over HTTP, in OpenAPI 3.1."""
