"""The process's own capture: what became of each event, counted through the writer and the outbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

import jobtail
from jobtail import Event, Line, Stats, client
from jobtail.outbox.state_directory import state_directory
from jobtail.sink import SinkStats
from tests.recording import LONG_S, RecordingSink


class Outbox(RecordingSink):
    """A sink with books: of ten it sends six, keeps three and loses one."""

    def stats(self) -> SinkStats:
        took = len(self.events)
        sent, spooled = took * 6 // 10, took * 3 // 10
        return SinkStats(
            sent=sent,
            spooled=spooled,
            waiting=0,
            dropped=took - sent - spooled,
            adopted=5,
            last_error="SinkUnavailable: the service is away",
        )


def test_the_books_of_the_writer_and_the_outbox_are_one() -> None:
    gate = Flag()

    def hold(batch: object) -> None:
        assert gate.wait(LONG_S)

    sink = Outbox()
    client.use(client.Client(sink, masked=lambda: 4))
    try:
        for number in range(10):
            client.writer().capture(Line(job_id="J", message=str(number)))
        assert jobtail.flush(LONG_S)
        sink.before = hold
        for number in range(7):
            client.writer().capture(Line(job_id="J", message=str(number)))
        stats = jobtail.stats()
        gate.set()
        assert stats == Stats(
            captured=17,
            sent=6,
            spooled=3,
            dropped=1,
            waiting=7,
            masked=4,
            faults=0,
            last_error="SinkUnavailable: the service is away",
            adopted=5,
        )
    finally:
        gate.set()
        client.use(None)


def test_the_client_masks_what_it_sends() -> None:
    sink = RecordingSink()

    def mask(event: Event) -> Event:
        return replace(event, message="***") if isinstance(event, Line) else event

    client.use(client.Client(sink, mask=mask))
    with jobtail.job("JB_1") as emitter:
        emitter.emit_info("secret")
    client.use(None)
    assert [event.message for event in sink.events if isinstance(event, Line)] == ["***"]


def test_the_state_directory_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert state_directory() == tmp_path / "state/jobtail"
    assert (tmp_path / "state/jobtail").stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_directory() == tmp_path / ".local/state/jobtail"


def test_a_directory_that_another_could_lead_elsewhere_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among temporary files anybody may have put a link in its place."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/none")
    own = state_directory()
    assert own.parent == tmp_path
    own.rmdir()
    own.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="is not ours"):
        state_directory()


def test_without_any_directory_capture_goes_on_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("JOBTAIL_SPOOL_DIR", raising=False)
    jobtail.configure("http://127.0.0.1:9", flush_s=0.1)
    client.use(None)
    (record,) = caplog.records
    assert record.message.startswith("capture keeps lines in memory only")
