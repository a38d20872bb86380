"""What opening and saving files means."""
