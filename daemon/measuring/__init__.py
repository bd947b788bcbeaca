"""What happens, counted, and the text of /metrics."""
