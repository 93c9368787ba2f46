"""Keeping both stores: room on their disks, backup, restore."""
