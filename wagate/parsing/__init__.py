"""What every provider's parse reads with: JSON as it comes, typed values, one key for one chat."""
