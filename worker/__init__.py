"""Everything that carries a job from being asked for to its end: accept, broker, deliver, fail, limiter, observe.

Knows no single operation by name: what can be asked for is registered by the modules that the settings name.
"""

from typing import Final

VERSION: Final = "0.1.0"
