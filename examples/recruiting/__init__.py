"""Sample jobs: what a recruiting system does in the background, on files of its own."""

from pathlib import Path

DATA = Path(__file__).parent / "data"
