"""The retry policy: pure arithmetic and matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import StepError
from flows.retry import RetryPolicy, matches


@pytest.mark.parametrize(
    ("backoff", "failed_attempts", "expected_s"),
    [
        ("fixed", 1, 2.0),
        ("fixed", 7, 2.0),
        ("linear", 1, 2.0),
        ("linear", 3, 6.0),
        ("linear", 30, 10.0),
        ("exponential", 1, 2.0),
        ("exponential", 2, 4.0),
        ("exponential", 3, 8.0),
        ("exponential", 4, 10.0),
        ("exponential", 1100, 10.0),
    ],
)
def test_a_delay_grows_as_its_backoff_says_up_to_the_cap(backoff, failed_attempts, expected_s):
    policy = RetryPolicy(tries=9, first_delay_s=2.0, backoff=backoff, max_delay_s=10.0)

    assert policy.delay_s(failed_attempts) == expected_s


@pytest.mark.parametrize(("drawn", "expected_s"), [(0.0, 2.0), (0.5, 3.0), (0.999999, 3.999998)])
def test_jitter_takes_between_half_and_all_of_the_delay(drawn, expected_s):
    policy = RetryPolicy(tries=9, first_delay_s=2.0, backoff="exponential-jitter")

    assert policy.delay_s(2, random=lambda: drawn) == pytest.approx(expected_s)


def test_a_fixed_delay_is_not_capped_because_it_does_not_grow():
    assert RetryPolicy(first_delay_s=60.0, max_delay_s=30.0).delay_s(1) == 60.0


@pytest.mark.parametrize(("asked_s", "expected_s"), [(5.0, 5.0), (0.1, 1.0), (600.0, 30.0), (None, 1.0)])
def test_what_a_server_asks_for_is_honoured_up_to_the_cap(asked_s, expected_s):
    assert RetryPolicy(tries=3).delay_s(1, retry_after_s=asked_s) == expected_s


@given(
    failed_attempts=st.integers(0, 10**6),
    first_delay_s=st.floats(0, 1e6),
    backoff=st.sampled_from(["linear", "exponential", "exponential-jitter"]),
)
def test_no_delay_overflows_or_passes_the_cap(failed_attempts, first_delay_s, backoff):
    policy = RetryPolicy(first_delay_s=first_delay_s, backoff=backoff)

    assert 0 <= policy.delay_s(failed_attempts) <= 30.0


@pytest.mark.parametrize(
    ("entry", "error", "expected"),
    [
        (429, StepError("no", code="HTTP_STATUS", status=429), True),
        (429, StepError("no", code="HTTP_STATUS", status=500), False),
        (502, StepError("upstream said HTTP 502: bad gateway", code="EXIT_STATUS"), True),
        (502, StepError("took 15024 ms", code="EXIT_STATUS"), False),
        ("TIMEOUT", StepError("too late", code="TIMEOUT"), True),
        ("econnreset", StepError("read ECONNRESET", code="HTTP_FAILED"), True),
        ("timeout", StepError("too late", code="TIMEOUT"), False),
    ],
)
def test_an_entry_matches_a_status_a_code_or_a_part_of_the_message(entry, error, expected):
    assert matches(entry, error) is expected


def test_a_policy_tries_as_often_as_it_says():
    policy = RetryPolicy(tries=3)
    error = StepError("no", code="X")

    again = [policy.again(error, failed_attempts) for failed_attempts in (1, 2, 3)]

    assert again == [True, True, False]


def test_fail_fast_is_stronger_than_retry_on():
    policy = RetryPolicy(tries=3, retry_on=(500, "X"), fail_fast_on=(500,))

    assert not policy.again(StepError("no", code="X", status=500), 1)
    assert policy.again(StepError("no", code="X", status=503), 1)


def test_an_error_that_retry_on_does_not_name_is_not_tried_again():
    assert not RetryPolicy(tries=3, retry_on=(429,)).again(StepError("no", code="X"), 1)


def test_an_error_that_cannot_get_better_is_tried_again_only_by_name():
    hopeless = StepError("no", code="EXPRESSION_TYPE", retryable=False)

    assert not RetryPolicy(tries=3).again(hopeless, 1)
    assert RetryPolicy(tries=3, retry_on=("EXPRESSION_TYPE",)).again(hopeless, 1)
