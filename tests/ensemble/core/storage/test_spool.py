"""Contents of files on disk, as a dict has them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ensemble.core.parallel import AT_ONCE, blocks, in_threads
from ensemble.core.storage.spool import Spool


@given(steps=st.lists(st.tuples(st.text(max_size=3), st.one_of(st.none(), st.binary(max_size=50))), max_size=30))
def test_it_is_a_dict(steps: list[tuple[str, bytes | None]]) -> None:
    spool, expected = Spool(), dict[str, bytes]()
    for name, content in steps:
        if content is None:
            assert spool.pop(name, None) == expected.pop(name, None)
        else:
            spool[name] = expected[name] = content
    assert dict(spool) == expected
    assert list(spool) == list(expected)


def test_no_more_items_are_read_than_a_block_has() -> None:
    class Items(list[int]):
        most = 0

        def __getitem__(self, rows: slice) -> list[int]:  # type: ignore[override]
            picked = super().__getitem__(rows)
            self.most = max(self.most, len(picked))
            return picked

    items = Items(range(1000))
    assert in_threads(lambda item: item + 1, items) == list(range(1, 1001))
    assert items.most == AT_ONCE
    assert [rows.stop - rows.start for rows in blocks(600)] == [256, 256, 88]
