"""A folder for PYTHONPATH, of `Running.environment` alone: nothing that is shipped looks here."""
