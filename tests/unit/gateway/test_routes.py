from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_host.gateway.routes import Route, RouteTable, host_fits
from sentinel_host.messages import Headers, RequestHead, Response
from sentinel_host.pipeline import Chain


def route(name: str, path: str, **options: Any) -> Route:
    defaults: dict[str, Any] = {"hosts": (), "methods": frozenset(), "headers": ()}
    return Route(
        index=0,
        name=name,
        path=path,
        upstream="u",
        chain=Chain([], lambda error: Response(error.status, [])),
        preserve_host=False,
        trailers=frozenset(),
        **defaults | options,
    )


def match(
    routes: list[Route],
    path: str,
    authority: str = "h",
    method: str = "GET",
    headers: Headers = [],  # noqa: B006
    scheme: str = "http",
) -> Any:
    found = RouteTable(routes).match(RequestHead(method, path, None, headers, scheme, authority, "", "", "", "1.1"))
    return found and found.name


PATHS = [route("root", "/"), route("api", "/api"), route("v1", "/api/v1"), route("dir", "/dir/")]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "root"),
        ("/x", "root"),
        ("/x/y/z", "root"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/api/x", "api"),
        ("/apix", "root"),
        ("/api/v1", "v1"),
        ("/api/v1/", "v1"),
        ("/api/v1/x/y/z/very/much/longer/than/any/route", "v1"),
        ("/api/v10", "api"),
        ("/dir", "root"),
        ("/dir/", "dir"),
        ("/dir/x", "dir"),
        ("*", "root"),
    ],
)
def test_longest_prefix_at_segment_borders(path: str, name: str) -> None:
    assert match(PATHS, path) == name


# Few letters, so that many paths begin with others.
_REQUESTED = st.text("ab/", max_size=7).map("/{}".format)


@given(st.lists(st.text("ab/", max_size=4).map("/{}".format), max_size=8, unique=True), _REQUESTED)
def test_paths_are_found_as_if_every_route_were_tried(paths: list[str], path: str) -> None:
    fitting = [each for each in paths if path == each or path.startswith(each.removesuffix("/") + "/")]
    assert match([route(each, each) for each in paths], path) == max(fitting, key=len, default=None)


def test_no_route() -> None:
    assert match([route("api", "/api")], "/") is None


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("a.example", "exact"),
        ("A.EXAMPLE:8080", "exact"),
        ("b.example", "wildcard"),
        ("x.b.example", "wildcard"),
        (".example", "any"),
        ("example", "any"),
        ("[::1]:80", "v6"),
        ("[::1]", "v6"),
    ],
)
def test_hosts(authority: str, name: str) -> None:
    routes = [
        route("any", "/"),
        route("wildcard", "/", hosts=("*.example",)),
        route("exact", "/", hosts=("a.example",)),
        route("v6", "/", hosts=("[::1]",)),
    ]
    assert match(routes, "/", authority) == name


HOSTS = ("a.example", "b.a.example", "c.b.a.example", "*.example", "*.a.example", "*.b.a.example", "other")


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(HOSTS), max_size=3, unique=True),
            st.sampled_from(("", "GET", "POST")),
            st.integers(0, 2),
        ),
        max_size=8,
    ),
    st.sampled_from(("a.example", "b.a.example", "x.a.example", "x.c.b.a.example", ".example", "other", "example", "")),
)
def test_hosts_are_found_as_if_every_route_were_tried(
    conditions: list[tuple[list[str], str, int]], authority: str
) -> None:
    fields = [(b"x-one", b"1"), (b"x-two", b"2")]
    routes = [
        route(
            str(number), "/", hosts=tuple(hosts), methods=frozenset(filter(None, [method])), headers=tuple(fields[:n])
        )
        for number, (hosts, method, n) in enumerate(conditions)
    ]
    expected = next(
        (
            each.name
            for each in sorted(routes, key=Route.specificity, reverse=True)
            if (not each.hosts or any(host_fits(pattern, authority) for pattern in each.hosts))
            and each.methods <= {"GET"}
            and each.headers in ((), (fields[0],))
        ),
        None,
    )
    assert match(routes, "/", authority, headers=fields[:1]) == expected


class CountedFields(list[tuple[bytes, bytes]]):
    """Fields that count how often they are searched."""

    searches = 0

    def __contains__(self, field: object) -> bool:
        self.searches += 1
        return super().__contains__(field)


@pytest.mark.parametrize("pattern", ["{}.example", "*.{}.example"])
def test_routes_of_other_hosts_are_not_tried(pattern: str) -> None:
    condition = (b"x-tenant", b"1")
    routes = [route(str(number), "/", hosts=(pattern.format(number),), headers=(condition,)) for number in range(5000)]
    fields = CountedFields([condition])
    host = pattern.format(4321).replace("*", "www")
    assert match(routes, "/", host, headers=fields) == "4321"
    assert fields.searches == 1


def test_a_longer_path_that_does_not_fit_otherwise_falls_back_to_a_shorter() -> None:
    routes = [route("root", "/"), route("post", "/api", methods=frozenset(["POST"]))]
    assert match(routes, "/api", method="POST") == "post"
    assert match(routes, "/api", method="GET") == "root"


def test_header_conditions_go_before_none() -> None:
    routes = [route("plain", "/"), route("canary", "/", headers=((b"x-canary", b"1"),))]
    assert match(routes, "/", headers=[(b"x-canary", b"1")]) == "canary"
    assert match(routes, "/", headers=[(b"x-canary", b"0")]) == "plain"


SCHEMES = [
    route("root", "/"),
    route("api", "/api"),
    route("redirect", "/", scheme="http"),
    route("challenge", "/.well-known", scheme="http"),
    route("secure", "/secure", scheme="https"),
]


@pytest.mark.parametrize(
    ("scheme", "path", "name"),
    [
        ("http", "/", "redirect"),
        ("http", "/api", "redirect"),
        ("http", "/secure", "redirect"),
        ("http", "/.well-known/x", "challenge"),
        ("https", "/", "root"),
        ("https", "/api/x", "api"),
        ("https", "/.well-known/x", "root"),
        ("https", "/secure/x", "secure"),
    ],
)
def test_routes_with_a_scheme_go_before_those_without(scheme: str, path: str, name: str) -> None:
    assert match(SCHEMES, path, scheme=scheme) == name


def test_a_scheme_that_no_route_has() -> None:
    assert match([route("secure", "/", scheme="https")], "/") is None
