"""The API's own description: OpenAPI, and a page to read it."""
