from hypothesis import given
from hypothesis import strategies as st

from metering.event_sql import DIMENSIONS
from metering.group import BY_TEXTS, groups_of
from metering.hashing import MASK, text_hash

texts = st.sampled_from(["", "a", "b", "ab", "qwen3", "模型"])
keys = st.lists(st.tuples(*[texts] * len(DIMENSIONS)), unique=True, max_size=30)


def numbers(expression: str, key: tuple[str, ...]) -> int:
    """Work out an expression as the engine does: products and sums modulo 2^64."""
    total = 0
    for term in expression.split(" + "):
        factor, _, name = term.removesuffix(")").partition(" * xxHash64(")
        total += int(factor) * text_hash(key[DIMENSIONS.index(name)].encode())
    return total & MASK


@given(keys)
def test_every_key_is_found_again_by_its_number(listed: list[tuple[str, ...]]) -> None:
    found = groups_of(listed)

    if len(listed) > 1:
        assert [found.key_of(numbers(found.expression, key)) for key in listed] == listed
    elif listed:
        assert found.key_of(0) == listed[0]
        assert found.expression == "toUInt64(0)"


def test_only_what_differs_is_looked_at() -> None:
    one = ("acme", *["x"] * (len(DIMENSIONS) - 1))
    other = ("umbra", *one[1:])

    assert groups_of([one, other]).expression.endswith("* xxHash64(tenant)")


def test_a_number_of_a_key_that_is_not_listed_is_not_known() -> None:
    assert not groups_of([]).knows(0)
    assert not groups_of([("a",) * len(DIMENSIONS)]).knows(1)


def test_keys_that_numbers_cannot_tell_apart_stand_for_themselves() -> None:
    key = ("a",) * len(DIMENSIONS)

    found = groups_of([key, key])

    assert found is BY_TEXTS
    assert found.knows(key)
    assert found.key_of(key) == key
