"""The whole: settings, clock, stores and routes joined into one service and one command."""
