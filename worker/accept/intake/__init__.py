"""Accept, over HTTP: what other services and the vendors send us."""
