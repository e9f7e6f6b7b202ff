"""Upstreams: which endpoint a request goes to, and what happens when it fails."""
