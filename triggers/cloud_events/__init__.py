"""CloudEvents 1.0 over HTTP: an event in headers, one in a JSON body, or a batch of them."""

from triggers.cloud_events.binding import CloudEvent, in_headers, of_headers, read_batch, read_structured

__all__ = ["CloudEvent", "in_headers", "of_headers", "read_batch", "read_structured"]
