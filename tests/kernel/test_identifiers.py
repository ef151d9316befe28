"""Names that go into paths, and numbers that stand for names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marquee.identifiers import person_id, run_slug


@given(st.text())
def test_slugs_are_safe_for_hdfs_and_spark(run_id: str) -> None:
    slug = run_slug(run_id)
    assert slug[0] not in "_."
    assert not set("%:+/ ") & set(slug)
    assert slug.isascii()


@given(st.lists(st.text(), unique=True, max_size=20))
def test_slugs_and_people_differ_where_names_do(names: list[str]) -> None:
    assert len({run_slug(name) for name in names}) == len(names)
    people = {person_id(name) for name in names}
    assert len(people) == len(names)
    assert all(-(2**63) <= person < 0 for person in people)
