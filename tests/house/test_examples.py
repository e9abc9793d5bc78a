"""What a newcomer copies works as it stands."""

import re

from settings import load
from tests.house.source import ROOT

FILES_OF_YOUR_OWN = {"PACELINE_CONFIG", "PACELINE_SECRETS_DIR"}


def test_every_line_of_the_example_environment_is_understood() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    examples = dict(re.findall(r"^#?(PACELINE_\w+)=(.*)$", text, re.MULTILINE))
    settings = load({key: value for key, value in examples.items() if key not in FILES_OF_YOUR_OWN})
    assert set(settings.accounts()) == {"hub:IN-ABC", "stellantis:fleet-1"}
    assert {"PACELINE_REDIS_URL", "PACELINE_THREADS", *FILES_OF_YOUR_OWN} <= examples.keys()
