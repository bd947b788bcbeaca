"""A home: its files, read and checked into one set of definitions that is in force, and its versions."""
