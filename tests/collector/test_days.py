import pytest
from builders import event

from collector.dialect.normalise import MAX_DAYS, TooManyDaysError, check_days


def test_days_of_one_body_are_counted_by_their_end() -> None:
    one_day = [event(f"e{h}", f"2026-10-01T{h:02}:00Z") for h in range(24)]
    days = [event(f"d{d}", f"2026-{1 + d // 28:02}-{1 + d % 28:02}T00:00Z") for d in range(101)]

    check_days(one_day)
    check_days(days[:MAX_DAYS])
    with pytest.raises(TooManyDaysError, match="at most 100 days, found 101: send them in parts"):
        check_days(days)
