"""What staff and other programs read over HTTP; empty until its first endpoint (the
worker's own: streams/worker/web.py)."""
