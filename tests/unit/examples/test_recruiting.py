"""The sample jobs: what they say and compute, without a database or a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from examples.recruiting import DATA
from examples.recruiting.attestations import Attestation, attestation_for
from examples.recruiting.candidates import Candidate, CandidateRecord, IncompleteCandidate, read_candidates
from examples.recruiting.capture import captured
from examples.recruiting.emitter import RecruitingEmitter
from examples.recruiting.handlers import CANDIDATES, HANDLERS
from examples.recruiting.queue import Enqueue, Hooks, JobQueue, JobSpec, Outcome, QueueIsFull, run_job
from examples.recruiting.requirements import Description, ExtractionError, Requirement, extract, requirements_in
from examples.recruiting.scoring import Score, score
from examples.recruiting.sources import SourceError, read_links, read_text
from jobtail import Batch, Event, JobFinished, JobStarted, JobStatus, Line, LogLevel, TaskChanged, TaskStatus, Writer
from jobtail.job.emitter import ProgressEmitter, TaskTracker

DESCRIPTION = (
    """Ferry Engineer
Must have
- Two years of experience at sea, and a head for engines
- Python; Docker is a plus
- English, C1
Nice to have
- Python
- First aid
About us
- Java since 1999, by people with a doctorate
"""
    + "We run ferries between islands that few have heard of. " * 4
)

ADA = {"candidate_id": "CNT_1", "name": "Ada", "years": 4, "degree": "Master", "skills": ["Python", "Docker"]}
ADA |= {"licences": ["First aid"], "languages": {"English": "C2"}}
BO = {"candidate_id": "CNT_2", "name": "Bo", "years": 1, "degree": "None", "skills": [], "languages": {}}
CY = {"candidate_id": "CNT_3", "name": "Cy", "years": 1, "degree": "None", "languages": {}}


EventKind = TypeVar("EventKind")


class Recording:
    """Stands for an emitter of any kind and keeps each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        assert callable(getattr(RecruitingEmitter, name))
        return lambda *args, **named: self.calls.append((name, *args, *named.values()))

    @property
    def stages(self) -> list[str]:
        return [call[1] for call in self.calls if call[0] == "emit_stage"]

    def named(self, *names: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] in names]


class KeptResults:
    def __init__(self) -> None:
        self.descriptions: dict[str, Sequence[Attestation]] = {}
        self.scores: dict[tuple[str, str], float] = {}

    async def save_description(self, description: Description, attestations: Sequence[Attestation]) -> None:
        self.descriptions[description.description_id] = attestations

    async def requirements_of(self, description_id: str) -> Sequence[Requirement]:
        return [attestation.requirement for attestation in self.descriptions.get(description_id, ())]

    async def save_score(self, description_id: str, candidate_id: str, score: Score) -> None:
        self.scores[description_id, candidate_id] = score.value


class BrokenResults(KeptResults):
    async def save_description(self, description: Description, attestations: Sequence[Attestation]) -> None:
        raise ConnectionRefusedError("no database")


class KeptEvents:
    """A sink in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def send(self, batch: Batch) -> None:
        self.events += [numbered.event for numbered in batch.events]

    def flush(self, timeout_s: float) -> bool:
        return True

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass

    def of_kind(self, kind: type[EventKind]) -> list[EventKind]:
        return [event for event in self.events if isinstance(event, kind)]


async def run(
    handler: str,
    payload: Mapping[str, Any],
    results: KeptResults | None = None,
    enqueue: Enqueue | None = None,
) -> tuple[Recording, list[Any]]:
    recording, ends = Recording(), list[Any]()
    hooks = Hooks(
        lambda spec: cast("RecruitingEmitter", recording),
        lambda spec: ends.append(spec.job_id),
        lambda spec, outcome, error: ends.append((outcome, error)),
    )
    spec = JobSpec(job_id="JB_1", handler=handler, payload=payload)
    await run_job(spec, HANDLERS, hooks, results or KeptResults(), enqueue or JobQueue().enqueue)
    assert ends.pop(0) == "JB_1"
    return recording, ends


async def run_captured(spec: JobSpec) -> KeptEvents:
    kept = KeptEvents()
    with Writer(kept) as writer:
        await run_job(spec, HANDLERS, captured(writer), KeptResults(), JobQueue().enqueue)
    return kept


@pytest.fixture
def ferry(tmp_path: Path) -> dict[str, str]:
    """A description and three candidates, the last one without skills."""
    (tmp_path / "ferry.txt").write_text(DESCRIPTION)
    (tmp_path / "people.json").write_text(json.dumps([ADA, BO, CY]))
    return {"source": (tmp_path / "ferry.txt").as_uri(), "candidates": (tmp_path / "people.json").as_uri()}


async def test_a_missing_file_leaves_the_classic_three_emissions_and_a_failed_job() -> None:
    recording, ends = await run("ingest_jd", {"source": "file:///tmp/test-jd.txt"})

    said = [(name, stage, str(message)) for name, stage, message in recording.calls]
    assert said == [
        ("emit_stage", "read_jd", "Reading job description from file:///tmp/test-jd.txt"),
        ("emit_stage", "extract_requirements", "Extracting with rules-v1 (local)..."),
        ("emit_error", "extract", "file not found: file:/tmp/test-jd.txt"),
    ]
    assert ends == [(Outcome.FAILED, "file not found: file:/tmp/test-jd.txt")]


async def test_the_classic_job_is_captured_as_three_lines_between_its_start_and_its_failure() -> None:
    job_id, source = "JB_MANUAL_E2E_LOG_TEST_123", "file:///tmp/test-jd.txt"
    kept = await run_captured(JobSpec(job_id=job_id, handler="ingest_jd", payload={"source": source}))

    started, *lines, finished = kept.events
    assert isinstance(started, JobStarted)
    assert (started.job_id, started.handler_name, started.source) == (job_id, "ingest_jd", source)
    assert [(line.stage, line.task_id, line.level, line.message) for line in lines if isinstance(line, Line)] == [
        ("read_jd", None, LogLevel.INFO, "Reading job description from file:///tmp/test-jd.txt"),
        ("extract_requirements", None, LogLevel.INFO, "Extracting with rules-v1 (local)..."),
        ("extract", None, LogLevel.ERROR, "file not found: file:/tmp/test-jd.txt"),
    ]
    assert len(lines) == 3
    error = "file not found: file:/tmp/test-jd.txt"
    assert finished == JobFinished(job_id=job_id, status=JobStatus.FAILED, error=error)


async def test_candidates_are_captured_as_tasks_with_their_lines(ferry: dict[str, str]) -> None:
    spec = JobSpec(
        job_id="JB_1",
        handler="ingest_jd",
        payload=ferry,
        parent_job_id="JB_0",
        execution_id="EX_1",
        schedule_id="nightly",
    )
    kept = await run_captured(spec)

    starts = [(start.parent_job_id, start.execution_id, start.schedule_id) for start in kept.of_kind(JobStarted)]
    assert starts == [("JB_0", "EX_1", "nightly")]
    told = [line for line in kept.of_kind(Line) if line.task_id]
    assert [(line.stage, line.task_id, line.level) for line in told] == [
        ("score_candidates", "CNT_1", LogLevel.INFO),
        ("score_candidates", "CNT_2", LogLevel.INFO),
        ("score_candidates", "CNT_3", LogLevel.ERROR),
    ]
    assert (told[0].message, told[0].metadata) == ("Ada: 100.0, meets 5 of 5", {"score": 100.0})
    ended = [(task.task_id, task.status) for task in kept.of_kind(TaskChanged) if task.status is not TaskStatus.RUNNING]
    assert ended == [
        ("CNT_1", TaskStatus.COMPLETED),
        ("CNT_2", TaskStatus.COMPLETED),
        ("CNT_3", TaskStatus.FAILED),
    ]
    summary = "Ferry Engineer: 5 requirements, 2 candidates scored, 1 could not be"
    assert kept.events[-1] == JobFinished(job_id="JB_1", status=JobStatus.COMPLETED, result=summary)


async def test_an_ingestion_says_its_stages_its_candidates_and_its_end(ferry: dict[str, str]) -> None:
    results = KeptResults()
    recording, ends = await run("ingest_jd", ferry, results)

    assert recording.stages == [
        "read_jd",
        "extract_requirements",
        "generate_attestations",
        "persist_data",
        "persist_complete",
        "score_candidates",
    ]
    assert recording.named("emit_candidate_match", "emit_candidate_error", "add_task", "update_task_status") == [
        ("add_task", "CNT_1", "Ada"),
        ("emit_candidate_match", "CNT_1", 100.0, "Ada: 100.0, meets 5 of 5"),
        ("update_task_status", "CNT_1", True, "100.0"),
        ("add_task", "CNT_2", "Bo"),
        ("emit_candidate_match", "CNT_2", 13.6, "Bo: 13.6, meets 0 of 5, lacks Python, Docker, English C1, First aid"),
        ("update_task_status", "CNT_2", True, "13.6"),
        ("add_task", "CNT_3", "Cy"),
        ("emit_candidate_error", "CNT_3", "CNT_3 cannot be scored: no skills"),
        ("update_task_status", "CNT_3", False, "CNT_3 cannot be scored: no skills"),
    ]
    assert recording.calls[-2:] == [
        ("emit_progress", 3, {"total": 3, "failed": 1}),
        ("emit_complete", "Ferry Engineer: 5 requirements, 2 candidates scored, 1 could not be"),
    ]
    assert ends == [(Outcome.COMPLETED, None)]
    assert results.scores == {("ferry", "CNT_1"): 100.0, ("ferry", "CNT_2"): 13.6}


async def test_a_database_fault_fails_the_stage_that_stores(ferry: dict[str, str]) -> None:
    recording, ends = await run("ingest_jd", ferry, BrokenResults())

    name, stage, error = recording.calls[-1]
    assert (name, stage, str(error)) == ("emit_error", "persist_data", "no database")
    assert ends == [(Outcome.FAILED, "no database")]


async def test_scoring_alone_has_one_stage_and_a_task_a_candidate(ferry: dict[str, str]) -> None:
    results = KeptResults()
    await run("ingest_jd", ferry, results)
    payload = {"description_id": "ferry", "candidates": ferry["candidates"]}
    recording, ends = await run("score_candidates", payload, results)

    assert recording.stages == ["score_candidates"]
    assert [call[1] for call in recording.named("add_task")] == ["CNT_1", "CNT_2", "CNT_3"]
    assert recording.calls[-1] == ("emit_complete", "2 candidates scored, 1 could not be")
    assert ends == [(Outcome.COMPLETED, None)]


async def test_scoring_for_an_unknown_description_fails() -> None:
    recording, ends = await run("score_candidates", {"description_id": "pilot"})

    assert [call[0] for call in recording.calls] == ["emit_stage", "emit_error"]
    assert ends == [(Outcome.FAILED, "job description pilot has not been ingested")]


async def test_the_scraper_enqueues_a_child_for_each_vacancy() -> None:
    queued: list[JobSpec] = []
    queue = JobQueue()

    def enqueue(
        handler: str,
        payload: Mapping[str, Any],
        *,
        parent: JobSpec | None = None,
        schedule_id: str | None = None,
    ) -> JobSpec:
        queued.append(queue.enqueue(handler, payload, parent=parent, schedule_id=schedule_id))
        return queued[-1]

    page = (DATA / "vacancies.html").as_uri()
    recording, ends = await run("scrape_vacancies", {"source": page}, enqueue=enqueue)

    assert recording.stages == ["fetch_page", "enqueue_jobs"]
    found = recording.named("emit_vacancy_found")
    assert found[0][1:] == ("backend-engineer", "Backend Engineer (Python)", queued[0].payload["source"])
    assert len(found) == len(queued) == 8
    assert len({child.job_id for child in queued}) == 8
    assert {(child.handler, child.parent_job_id) for child in queued} == {("ingest_jd", "JB_1")}
    assert recording.named("update_task_status")[0] == (
        "update_task_status",
        "backend-engineer",
        True,
        queued[0].job_id,
    )
    assert ends == [(Outcome.COMPLETED, None)]


async def test_a_full_queue_refuses_with_a_reason() -> None:
    queue = JobQueue()
    for _ in range(200):
        queue.enqueue("ingest_jd", {})
    with pytest.raises(QueueIsFull, match="200 jobs are waiting already"):
        queue.enqueue("ingest_jd", {})


def test_requirements_are_found_under_their_headings_and_a_must_wins() -> None:
    found = [(str(requirement), requirement.is_must) for requirement in requirements_in(DESCRIPTION)]
    assert found == [
        ("2 years of experience", True),
        ("Python", True),
        ("Docker", False),
        ("English C1", True),
        ("First aid", False),
    ]
    wish_first = requirements_in("Nice to have\nPython\nMust have\nPython")
    assert [(str(requirement), requirement.is_must) for requirement in wish_first] == [("Python", True)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("At least six years of experience", ["6 years of experience"]),
        ("10+ years' experience", ["10 years of experience"]),
        ("One year of experience", ["1 year of experience"]),
        ("A family firm for fifty years", []),
        ("A master\u2019s degree or a PhD", ["degree: Doctorate"]),
        ("JavaScript and PostgreSQLite", []),
        ("Postgres, K8s", ["Kubernetes", "PostgreSQL"]),
        ("Fluent English", ["English C1"]),
        ("Native German", ["German C2"]),
        ("Polish", ["Polish B2"]),
        ("the table to polish", []),
    ],
)
def test_a_line_without_headings_is_taken_as_a_must(line: str, found: list[str]) -> None:
    assert [str(requirement) for requirement in requirements_in(line)] == found


def test_every_shipped_description_but_the_malformed_one_can_be_extracted() -> None:
    files = sorted((DATA / "descriptions").iterdir())
    for file in files:
        if file.stem == "intern":
            with pytest.raises(ExtractionError, match="too short: 12 words"):
                extract(file.as_uri())
        else:
            assert len(extract(file.as_uri()).requirements) >= 8, file.name
    assert len(files) == 9


def test_a_text_that_asks_for_nothing_is_no_description(tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text("rose " * 50)
    with pytest.raises(ExtractionError, match="no requirement recognised in 50 words"):
        extract((tmp_path / "poem.txt").as_uri())


def test_the_score_is_the_weighted_mean_of_the_matches() -> None:
    candidate = Candidate(
        candidate_id="CNT_9",
        name="Eve",
        years=3,
        degree=2,
        languages={"English": 4},
        terms=frozenset({"python"}),
        summary="Knows docker by hearsay.",
    )
    wanted = [
        Requirement("skill", "Python"),  # 3 * 1
        Requirement("skill", "Docker"),  # 3 * 0.5
        Requirement("experience", "experience", 4),  # 3 * 0.75
        Requirement("degree", "degree", 3, is_must=False),  # 1 * 0.5
        Requirement("language", "English", 5, is_must=False),  # 1 * 0.8
        Requirement("licence", "First aid", is_must=False),  # 1 * 0
    ]
    found = score(candidate, wanted)
    assert found.value == round(100 * (3 + 1.5 + 2.25 + 0.5 + 0.8) / 12, 1) == 67.1
    assert found.met == ("Python",)
    assert found.missed == ("First aid",)
    without_a_must = score(candidate, [*wanted, Requirement("skill", "Java")])
    assert without_a_must.value == 49.0


def test_incomplete_candidates_say_what_is_missing() -> None:
    with pytest.raises(IncompleteCandidate, match="CNT_7 cannot be scored: no degree, no skills"):
        CandidateRecord("CNT_7", {"years": 0, "languages": {}}).complete()
    with pytest.raises(IncompleteCandidate, match=r"no years$"):
        CandidateRecord("CNT_7", BO | {"years": None}).complete()
    with pytest.raises(IncompleteCandidate, match="degree 'BA' is none of"):
        CandidateRecord("CNT_7", BO | {"degree": "BA"}).complete()


def test_some_of_the_shipped_candidates_are_incomplete() -> None:
    records = read_candidates(CANDIDATES)
    incomplete = []
    for record in records:
        try:
            record.complete()
        except IncompleteCandidate:
            incomplete.append(record.candidate_id)
    assert len({record.candidate_id for record in records}) == 36
    assert incomplete == ["CNT_1007", "CNT_1018", "CNT_1029", "CNT_1034"]


def test_attestations_name_the_evidence() -> None:
    assert "3 or more years" in attestation_for(Requirement("experience", "experience", 3)).evidence
    assert attestation_for(Requirement("degree", "degree", 3)).evidence.endswith("Master or Doctorate")


def test_html_is_freed_of_markup_and_decoded_as_it_declares(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    markup = (
        "<html><head><meta charset='iso-8859-1'><title>no</title></head><p>Caf\u00e9<script>no()</script><li>a &amp; b"
    )
    page.write_bytes(markup.encode("iso-8859-1"))
    assert read_text(page.as_uri()) == "Caf\u00e9\na & b"
    plain = tmp_path / "plain.txt"
    plain.write_bytes("Caf\u00e9 <b>".encode("cp1252"))
    assert read_text(plain.as_uri()) == "Caf\u00e9 <b>"


def test_links_are_absolute_and_come_once(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<a href="a.txt">A <b>job</b></a><a href="a.txt#x">A</a><a href="#top">T</a><a href="mailto:x@y">M</a>'
    )
    assert read_links(page.as_uri()) == [((tmp_path / "a.txt").as_uri(), "A job")]


def test_sources_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^file not found: file:/tmp/no such file$"):
        read_text("file:///tmp/no%20such%20file")
    with pytest.raises(SourceError, match="Is a directory"):
        read_text(tmp_path.as_uri())
    with pytest.raises(SourceError, match="neither a file nor an http URL"):
        read_text("ftp://127.0.0.1/x")


def test_the_own_emitter_is_a_progress_emitter_that_keeps_tasks() -> None:
    emitter = RecruitingEmitter("JB_1")
    reports: ProgressEmitter = emitter
    tasks: TaskTracker = emitter
    reports.emit_stage("read_jd", "Reading")
    reports.emit_progress(2, {"total": 3})
    reports.emit_error("extract", ValueError("no"))
    tasks.add_task("CNT_1", "Ada")
    tasks.update_task_status("CNT_1", completed=True, result="97.0")
    assert (emitter.stage, emitter.count, emitter.errors) == ("read_jd", 2, ["extract: no"])
    assert (emitter.tasks["CNT_1"].completed, emitter.tasks["CNT_1"].result) == (True, "97.0")
