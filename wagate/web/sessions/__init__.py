"""Sessions of linked devices: status, lists, streams."""
