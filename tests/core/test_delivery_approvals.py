"""An agreement names a digest and a person, and survives the robot's restart."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.delivery.approvals import FILE, ApprovalBook
from rove_core.errors import PolicyError

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
people = st.text(min_size=1, max_size=30)


@given(st.dictionaries(digests, people, max_size=5), digests)
def test_exactly_what_was_agreed_to_is_known_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory, agreed: dict[str, str], other: str
) -> None:
    """A digest is approved if and only if somebody approved it, now and in the next run."""
    folder = tmp_path_factory.mktemp("store")
    book = ApprovalBook(folder)
    for digest, person in agreed.items():
        book.approve(digest, person)
    for seen in (book, ApprovalBook(folder)):
        assert all(digest in seen for digest in agreed)
        assert (other in seen) == (other in agreed)


@pytest.mark.parametrize(("digest", "person"), [("", "anna"), ("ab", "")])
def test_an_agreement_has_a_digest_and_a_person(tmp_path: Path, digest: str, person: str) -> None:
    """Nobody agrees to nothing, and no agreement is anonymous."""
    with pytest.raises(PolicyError, match="a digest and a person"):
        ApprovalBook(tmp_path).approve(digest, person)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_damaged_book_is_an_error_with_its_cure(tmp_path: Path, text: str) -> None:
    """Not a guess in either direction: the file is named and what to do."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(PolicyError, match=r"approved\.json.*delete it"):
        ApprovalBook(tmp_path)
