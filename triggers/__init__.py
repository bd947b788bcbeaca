"""WHEN: events, triggers, sources. Knows of flows only the small language both need."""
