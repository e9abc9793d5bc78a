"""Commands: what people type, a module per group. They read options and word answers; what is done is done by the
stages (`accept`, `limiter`, `fail`), which other doors use as well.
"""
