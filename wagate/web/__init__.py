"""HTTP: the hot intake path, the API, authentication, errors."""
