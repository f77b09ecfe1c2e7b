"""The description of the plain HTTP API tells what the service does: no more, and no less."""

from __future__ import annotations

import schemathesis
from starlette.routing import Route

from graph.app import create_app
from graph.capture.event_fields import READERS
from graph.pages.viewer import viewer_routes
from graph.rest.openapi import EVENTS, REASONS, description
from graph.rest.routes import KNOWN
from graph.settings import Settings

PATHS = description()["paths"]


def paths_of(routes: object) -> set[tuple[str, str]]:
    assert isinstance(routes, list)
    found = [route for route in routes if isinstance(route, Route)]
    return {(route.path, method) for route in found for method in route.methods or () if method != "HEAD"}


def test_it_has_the_routes_of_the_application_but_graphql_and_pages() -> None:
    served = paths_of(create_app(Settings()).routes) - paths_of(viewer_routes())
    described = {(path, method.upper()) for path, methods in PATHS.items() for method in methods}
    assert described == {(path, method) for path, method in served if path != "/graphql"}


def test_it_is_openapi() -> None:
    schemathesis.openapi.from_dict(description()).validate()


def test_it_has_the_parameters_that_the_lines_of_a_job_know() -> None:
    parameters = PATHS["/jobs/{job_id}/logs"]["get"]["parameters"]
    assert {each["name"] for each in parameters if each["in"] == "query"} == {*KNOWN}


def test_it_has_the_events_that_capture_reads() -> None:
    assert [event["properties"]["type"]["const"] for event in EVENTS] == list(READERS)


def test_no_status_is_explained_that_never_comes() -> None:
    told = {int(status) for methods in PATHS.values() for each in methods.values() for status in each["responses"]}
    assert told == {200, *REASONS}
