"""The shared store: the connection, the name of every key, the scripts that decide, and a server for development.

Holds state and makes it change atomically; what a state means is said by the stages that call it.
"""
