"""What is done to the tables now and then: retention, new keys, backups."""
