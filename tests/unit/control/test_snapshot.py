from __future__ import annotations

from sentinel_host.control import Distribution, Snapshot, merge
from sentinel_host.control.metrics import COUNTERS, GAUGES, HISTOGRAMS, render
from sentinel_host.control.snapshot import GUESTS_OWN, Description


def lines(snapshot: Snapshot) -> list[str]:
    return [line for line in render(snapshot).decode().splitlines() if not line.startswith("#")]


def test_numbers_are_added_by_labels() -> None:
    one = Snapshot(counters={"a": {("x",): 1, ("y",): 2}}, gauges={"g": {(): 5}})
    two = Snapshot(counters={"a": {("y",): 3, ("z",): 4}, "b": {(): 1}}, gauges={"g": {(): -1}})
    total = merge([one, two])
    assert total.counters == {"a": {("x",): 1, ("y",): 5, ("z",): 4}, "b": {(): 1}}
    assert total.gauges == {"g": {(): 4}}
    assert one.counters == {"a": {("x",): 1, ("y",): 2}}


def test_histograms_are_added_bucket_by_bucket() -> None:
    one = Snapshot(histograms={"h": Distribution((1.0,), {("x",): [1, 2, 3.5]})})
    two = Snapshot(histograms={"h": Distribution((1.0,), {("x",): [10, 20, 0.5], ("y",): [1, 0, 0.1]})})
    assert merge([one, two, two]).histograms == {
        "h": Distribution((1.0,), {("x",): [21, 42, 4.5], ("y",): [2, 0, 0.2]}),
    }
    assert one.histograms["h"].values == {("x",): [1, 2, 3.5]}
    assert two.histograms["h"].values[("y",)] == [1, 0, 0.1]


def test_buckets_of_another_version_replace_those_before() -> None:
    one = Snapshot(histograms={"h": Distribution((1.0,), {("x",): [1, 2, 3.5]})})
    two = Snapshot(histograms={"h": Distribution((1.0, 2.0), {("x",): [1, 1, 1, 4.0]})})
    assert merge([one, two]) == two


def test_what_remains_of_a_worker_that_ended() -> None:
    snapshot = Snapshot(counters={"a": {(): 1}}, gauges={"g": {(): 5}}, histograms={"h": Distribution()})
    assert snapshot.without_gauges() == Snapshot(counters={"a": {(): 1}}, histograms={"h": Distribution()})


def test_rendering() -> None:
    snapshot = Snapshot(
        counters={"sentinel_requests": {('a"b\n', "200"): 3}},
        gauges={"sentinel_worker_up": {("0",): 1, ("1",): 0}},
        histograms={"sentinel_request_size_bytes": Distribution((64.0, 512.0), {("a",): [1, 2, 3, 9000.0]})},
    )
    assert lines(snapshot) == [
        'sentinel_requests_total{route="a\\"b\\n",status="200"} 3.0',
        'sentinel_worker_up{worker="0"} 1.0',
        'sentinel_worker_up{worker="1"} 0.0',
        'sentinel_request_size_bytes_bucket{le="64.0",route="a"} 1.0',
        'sentinel_request_size_bytes_bucket{le="512.0",route="a"} 3.0',
        'sentinel_request_size_bytes_bucket{le="+Inf",route="a"} 6.0',
        'sentinel_request_size_bytes_count{route="a"} 6.0',
        'sentinel_request_size_bytes_sum{route="a"} 9000.0',
    ]


def test_what_guests_count_by_themselves_has_names_and_labels_of_their_own() -> None:
    worker = Snapshot(
        counters={GUESTS_OWN: {("auth", "logins", "result", 'o"k'): 3, ("auth", "logins"): 1, ("other", "logins"): 2}},
        own_histograms={("auth", "age"): Distribution((1.0, 2.5), {("kind", "x"): [1, 0, 1, 9.5]})},
    )
    assert lines(merge([worker, worker])) == [
        'guest_logins_total{guest="auth",result="o\\"k"} 6.0',
        'guest_logins_total{guest="auth"} 2.0',
        'guest_logins_total{guest="other"} 4.0',
        'guest_age_bucket{guest="auth",kind="x",le="1.0"} 2.0',
        'guest_age_bucket{guest="auth",kind="x",le="2.5"} 2.0',
        'guest_age_bucket{guest="auth",kind="x",le="+Inf"} 4.0',
        'guest_age_count{guest="auth",kind="x"} 4.0',
        'guest_age_sum{guest="auth",kind="x"} 19.0',
    ]


LOGINS = Description(False, "Logins.", "", (), 1)
AGE = Description(True, "Age of tokens.", "seconds", (1.0,), 1)


def test_what_guests_say_of_their_metrics_is_shown_before_they_count() -> None:
    worker = Snapshot(descriptions={("auth", "logins"): LOGINS, ("auth", "age_seconds"): AGE})
    shown = render(merge([worker, worker]), openmetrics=True).decode().splitlines()
    assert [line for line in shown if "guest_" in line and "sentinel_" not in line] == [
        "# HELP guest_logins Logins.",
        "# TYPE guest_logins counter",
        "# HELP guest_age_seconds Age of tokens.",
        "# TYPE guest_age_seconds histogram",
        "# UNIT guest_age_seconds seconds",
    ]
    assert "# HELP guest_logins_total Logins." in render(worker).decode().splitlines()


def test_a_metric_is_not_described_as_what_it_is_not() -> None:
    snapshot = Snapshot(
        counters={GUESTS_OWN: {("a", "age_seconds"): 3, ("a", "logins"): 1}},
        descriptions={("b", "age_seconds"): AGE, ("a", "logins"): Description(False, "", "", (), 1)},
    )
    shown = render(snapshot).decode().splitlines()
    assert [line for line in shown if line.startswith("# HELP guest_")] == [
        "# HELP guest_age_seconds_total Counted by guests.",
        "# HELP guest_logins_total Counted by guests.",
    ]


def test_the_newest_description_of_all_workers_and_guests_wins() -> None:
    newer = Description(False, "Newer.", "", (), 3)
    snapshots = [
        Snapshot(descriptions={("auth", "logins"): newer}),
        Snapshot(descriptions={("auth", "logins"): LOGINS, ("other", "logins"): Description(False, "No.", "", (), 2)}),
    ]
    for workers in (snapshots, snapshots[::-1]):
        total = merge(workers)
        assert total.descriptions[("auth", "logins")] == newer
        assert "# HELP guest_logins_total Newer." in render(total).decode().splitlines()


def test_workers_that_count_by_older_bounds_are_left_out() -> None:
    """While a version replaces another, no histogram is the sum of different buckets."""
    key = ("auth", "age_seconds")
    newer = Description(True, "", "", (1.0, 2.0), 2)
    old = Snapshot(own_histograms={key: Distribution((1.0,), {(): [1, 2, 3.5]})}, descriptions={key: AGE})
    new = Snapshot(own_histograms={key: Distribution((1.0, 2.0), {(): [1, 1, 1, 4.0]})}, descriptions={key: newer})
    for workers in ([old, new], [new, old], [old.without_gauges(), new, old]):
        assert merge(workers).own_histograms == new.own_histograms
    assert merge([new, new]).own_histograms == {key: Distribution((1.0, 2.0), {(): [2, 2, 2, 8.0]})}


def test_every_family_is_described_and_unknown_ones_are_left_out() -> None:
    text = render(Snapshot(counters={"of_a_later_version": {(): 1}})).decode()
    assert "of_a_later_version" not in text
    for name in (*(f"{counter}_total" for counter in COUNTERS), *GAUGES, *HISTOGRAMS):
        assert f"# TYPE {name} " in text
