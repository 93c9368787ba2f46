"""Resources, the states they were in, and the schedules that say when they should run."""
