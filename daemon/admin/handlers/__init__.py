"""Who answers: one file for each noun, with its routes, their schemas, and its handlers."""
