"""Links lead somewhere, indexes are complete, and generated pages are what the code says."""

from __future__ import annotations

from sitebuild import links, reference, site


def test_every_link_names_a_file_and_a_heading_that_are_there() -> None:
    assert links.broken_links() == []


def test_every_page_is_listed_in_an_index() -> None:
    assert site.unlisted() == []


def test_the_reference_is_what_the_code_says() -> None:
    assert reference.stale() == []
