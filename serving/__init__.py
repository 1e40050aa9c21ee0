"""What staff and other programs read over HTTP. Until its first endpoint, the worker's own pages are in streams/health.py."""
