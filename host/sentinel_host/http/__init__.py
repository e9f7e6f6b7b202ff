"""HTTP: admission rules, the HTTP/1.1 lane and the upstream client."""
