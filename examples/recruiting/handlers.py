"""The jobs themselves. They report to the emitter that they are handed, and raise when they can't go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from examples.recruiting import DATA
from examples.recruiting.attestations import Attestation, attestation_for
from examples.recruiting.candidates import CandidateRecord, IncompleteCandidate, read_candidates
from examples.recruiting.emitter import RecruitingEmitter
from examples.recruiting.queue import Enqueue, Handler, JobSpec
from examples.recruiting.requirements import EXTRACTOR, Description, Requirement, extract
from examples.recruiting.results import Results
from examples.recruiting.scoring import score
from examples.recruiting.sources import is_remote, name_of, read_links

CANDIDATES = (DATA / "candidates.json").as_uri()
PROGRESS_EVERY = 5


async def ingest_jd(job: JobSpec, emitter: RecruitingEmitter, results: Results, enqueue: Enqueue) -> None:  # noqa: ARG001
    """Take a job description in: `source` names it, `candidates` may name other people than ours."""
    description = await _extract(job, emitter)
    attestations = await _attest(job, emitter, description)
    with _reporting(emitter, "persist_data"):
        emitter.emit_stage(
            "persist_data", f"Storing {description.description_id} with {len(attestations)} attestations"
        )
        await results.save_description(description, attestations)
    emitter.emit_stage("persist_complete", f"Stored {description.description_id}: {description.title}")
    scored = await _score_all(job, emitter, results, description.description_id)
    emitter.emit_complete(f"{description.title}: {len(description.requirements)} requirements, {scored}")


async def score_candidates(job: JobSpec, emitter: RecruitingEmitter, results: Results, enqueue: Enqueue) -> None:  # noqa: ARG001
    """Score the candidates again for a `description_id` that was ingested before."""
    emitter.emit_complete(await _score_all(job, emitter, results, job.payload["description_id"]))


async def scrape_vacancies(job: JobSpec, emitter: RecruitingEmitter, results: Results, enqueue: Enqueue) -> None:  # noqa: ARG001
    """Read the page at `source` and enqueue an ingestion for each vacancy that it links to."""
    source = job.payload["source"]
    emitter.emit_stage("fetch_page", f"Looking for vacancies at {source}")
    with _reporting(emitter, "fetch_page"):
        links = await asyncio.to_thread(read_links, source)
    emitter.emit_stage("enqueue_jobs", f"Found {len(links)} vacancies")
    for count, link in enumerate(links, 1):
        vacancy_id = name_of(link.url)
        emitter.add_task(vacancy_id, link.text)
        emitter.emit_vacancy_found(vacancy_id, link.text, source=link.url)
        with _reporting(emitter, "enqueue_jobs"):
            child = enqueue("ingest_jd", {"source": link.url}, parent=job)
        emitter.update_task_status(vacancy_id, completed=True, result=child.job_id)
        emitter.emit_progress(count, {"total": len(links), "enqueued": child.job_id})
        await job.rest()
    emitter.emit_complete(f"{len(links)} job descriptions enqueued")


HANDLERS: Mapping[str, Handler] = {
    "ingest_jd": ingest_jd,
    "score_candidates": score_candidates,
    "scrape_vacancies": scrape_vacancies,
}


async def _extract(job: JobSpec, emitter: RecruitingEmitter) -> Description:
    source = job.payload["source"]
    if is_remote(source):
        emitter.emit_stage("fetch_jd", f"Fetching job description from {source}")
    else:
        emitter.emit_stage("read_jd", f"Reading job description from {source}")
    await job.rest()
    emitter.emit_stage("extract_requirements", f"Extracting with {EXTRACTOR} (local)...")
    with _reporting(emitter, "extract"):
        # The extractor opens the source itself: it knows which encodings and markup it can read.
        description = await asyncio.to_thread(extract, source)
    musts = sum(requirement.is_must for requirement in description.requirements)
    wishes = len(description.requirements) - musts
    emitter.emit_info(f"{description.title}: {musts} musts and {wishes} wishes in {description.word_count} words")
    await job.rest()
    return description


async def _attest(job: JobSpec, emitter: RecruitingEmitter, description: Description) -> list[Attestation]:
    total = len(description.requirements)
    emitter.emit_stage("generate_attestations", f"Generating attestations for {total} requirements")
    attestations = []
    for requirement in description.requirements:
        attestations.append(attestation_for(requirement))
        emitter.emit_info(f"{requirement}: {attestations[-1].evidence}")
        await job.rest()
    return attestations


async def _score_all(job: JobSpec, emitter: RecruitingEmitter, results: Results, description_id: str) -> str:
    emitter.emit_stage("score_candidates", f"Scoring candidates for {description_id}")
    with _reporting(emitter, "score_candidates"):
        requirements = await results.requirements_of(description_id)
        if not requirements:
            raise LookupError(f"job description {description_id} has not been ingested")
        records = await asyncio.to_thread(read_candidates, job.payload.get("candidates", CANDIDATES))
        failed = 0
        for count, record in enumerate(records, 1):
            failed += not await _score_one(record, emitter, results, description_id, requirements)
            if count % PROGRESS_EVERY == 0 or count == len(records):
                emitter.emit_progress(count, {"total": len(records), "failed": failed})
            await job.rest()
    return f"{len(records) - failed} candidates scored, {failed} could not be"


async def _score_one(
    record: CandidateRecord,
    emitter: RecruitingEmitter,
    results: Results,
    description_id: str,
    requirements: Sequence[Requirement],
) -> bool:
    emitter.add_task(record.candidate_id, record.name)
    try:
        found = score(record.complete(), requirements)
    except IncompleteCandidate as error:
        emitter.emit_candidate_error(record.candidate_id, str(error))
        emitter.update_task_status(record.candidate_id, completed=False, result=str(error))
        return False
    await results.save_score(description_id, record.candidate_id, found)
    emitter.emit_candidate_match(record.candidate_id, found.value, f"{record.name}: {found}")
    emitter.update_task_status(record.candidate_id, completed=True, result=f"{found.value:.1f}")
    return True


@contextmanager
def _reporting(emitter: RecruitingEmitter, stage: str) -> Iterator[None]:
    """Say which stage failed, and let the runner see it too."""
    try:
        yield
    except Exception as error:
        emitter.emit_error(stage, error)
        raise
