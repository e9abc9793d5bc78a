"""Settings: one validated, frozen object, and the only reader of the environment in the program.

Everything else receives a `Settings` and never asks the environment itself. Sections are named like the stages that
read them. Scope ends at the values: secrets that live in files are referenced here, and read again by
`worker.deliver.credentials`.
"""

from settings.accounts import Account, Window
from settings.loading import load
from settings.mistakes import SettingsError
from settings.whole import Settings

__all__ = ["Account", "Settings", "SettingsError", "Window", "load"]
