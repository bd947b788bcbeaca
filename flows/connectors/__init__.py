"""What flows read from and write to: one file for each connector, and what several of them need."""
