"""The worker program with a clock that its story sets."""

from __future__ import annotations

import json
import sys

from tests.faults.capture import set_clock

if __name__ == "__main__":
    set_clock.install()
    from tests.faults.capture.worker import main

    main(sys.argv[1], sys.argv[2], **json.loads(sys.argv[3]))
