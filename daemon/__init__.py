"""THE PROCESS: composes triggers, flows and the store into one running program."""
