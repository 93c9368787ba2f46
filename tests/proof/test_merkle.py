"""One hash over many things: every leaf is proven, and nothing else is."""

from hypothesis import given
from hypothesis import strategies as st

from pricing.proof.merkle import EMPTY, inclusion, leaf_hash, root, root_from

LEAVES = st.lists(st.binary(max_size=5), min_size=1, max_size=40)


@given(LEAVES, st.data())
def test_every_leaf_leads_to_the_root_and_no_other_does(
    leaves: list[bytes], data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(range(len(leaves))))
    steps = inclusion(leaves, place)

    assert root_from(leaves[place], steps) == root(leaves)
    assert root_from(leaves[place] + b"!", steps) != root(leaves)
    assert len(steps) <= (len(leaves) - 1).bit_length()


@given(LEAVES, st.data())
def test_another_list_has_another_root(leaves: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(range(len(leaves))))

    assert root([*leaves[:place], *leaves[place + 1 :]]) != root(leaves)
    assert root([*leaves, leaves[place]]) != root(leaves)


def test_a_leaf_does_not_pass_for_a_node_nor_nothing_for_a_leaf() -> None:
    both = leaf_hash(b"a") + leaf_hash(b"b")

    assert root([both]) != root([b"a", b"b"])
    assert root([]) == EMPTY != root([b""])
