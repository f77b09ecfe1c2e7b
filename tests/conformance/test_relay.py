"""schema.graphql is one that Relay's compiler accepts, with its connections, nodes and refetching."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.conformance.running import HERE, PATIENCE_S
from tests.conftest import ROOT

COMPILER = ROOT / "web/node_modules/.bin/relay-compiler"


def test_relay_compiles_a_page_against_the_schema(tmp_path: Path) -> None:
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    shutil.copytree(HERE / "relay", tmp_path / "page")
    types = {"DateTime": "string", "JSON": "mixed", "BigInt": "number"}
    config = {"src": "./page", "schema": "./schema.graphql", "language": "javascript", "customScalarTypes": types}
    (tmp_path / "relay.config.json").write_text(json.dumps(config))
    command = [str(COMPILER), "--noWatchman", "relay.config.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name for path in (tmp_path / "page/__generated__").iterdir()}
    assert {"logJobsPaginationQuery.graphql.js", "logLinesPaginationQuery.graphql.js"} <= made
