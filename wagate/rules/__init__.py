"""What decides, as pure functions over frozen values: no database, no queue, no clock. Imports only errors."""
