"""What every client means by its words: records of any dialect to usage events."""
