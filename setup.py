"""The part of the packaging that pyproject.toml cannot say: what is compiled, and which sources for
authors come along.

Three modules are C behind cffi; nine are extensions, for what cffi cannot do, Python's lists, and
where it costs too much: guests' hooks, a check of a limit, a question to a socket, the choice of an
endpoint, a line of the access log, HTTP/1.1's heads, HTTP/2's header blocks and fields. Another is
a library that builds of guests preload.

`HOT_PATH` is Python that every request runs through: mypyc compiles it, by the types that it has
anyway. The same files run uncompiled too, and do so from a working tree:
`pip install --editable` leaves them as they are, so that no edit is hidden behind an earlier build,
and so does ``SENTINEL_COMPILE=0``. docs/decisions/053-compiled-python.md has the
figures.

The SDKs and the contract go into the package as ``sentinel_host/_sdk``, so that a guest is written
against what its host understands, without a registry. A working tree has them where they are
written: `authoring/sdk.py` knows both.
"""

from __future__ import annotations

import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

PACKAGE = "host/sentinel_host/"
SDK = "sentinel_host/_sdk"
# What an author's build reads, and no tests or products.
SDK_SOURCES = (
    "sdk/rust/Cargo.*",
    "sdk/rust/README.md",
    "sdk/rust/sentinel-sdk*/Cargo.toml",
    "sdk/rust/sentinel-sdk*/README.md",
    "sdk/rust/sentinel-sdk*/src/**/*.rs",
    "sdk/assemblyscript/assembly/*.ts",
    "sdk/assemblyscript/bin/*.mjs",
    "sdk/assemblyscript/index.ts",
    "sdk/assemblyscript/lib/**/*.mjs",
    "sdk/assemblyscript/package*.json",
    "sdk/assemblyscript/README.md",
    "sdk/typescript/bin/*.mjs",
    "sdk/typescript/globals.d.ts",
    "sdk/typescript/lib/*.mjs",
    "sdk/typescript/package*.json",
    "sdk/typescript/README.md",
    "sdk/typescript/src/*.ts",
    "sdk/typescript/tsconfig.guest.json",
    "sdk/python/pyproject.toml",
    "sdk/python/README.md",
    "sdk/python/sentinel_sdk/*.py",
    "sdk/python/sentinel_sdk/py.typed",
    "sdk/c/include/*.h",
    "sdk/c/native/*.c",
    "sdk/c/src/*.[ch]",
    "sdk/c/zig/*.zig",
    "sdk/c/README.md",
    "sdk/go/**/*.go",
    "sdk/go/go.mod",
    "sdk/go/README.md",
    "wit/*",
)
FIELDS = Extension(
    "sentinel_host.fields._fields",
    [
        *("host/native/fields/module.c", "host/native/fields/names_type.c", "host/native/hpack/src/block.c"),
        *(
            f"host/native/fields/src/{name}.c"
            for name in ("field", "frames", "head", "lines", "names", "record", "sorting", "trace_parent", "writer")
        ),
    ],
    # Of a source archive setuptools finds no more than what extensions are made of and depend on:
    # that is all of this.
    depends=sorted(str(path) for path in Path("host/native").rglob("*.*") if path.suffix in {".c", ".h", ".py"}),
    extra_compile_args=["-std=c11", "-O2"],
)
HEADS = Extension(
    "sentinel_host.http._heads",
    [
        f"host/native/{name}.c"
        for name in ("heads/module", "heads/src/common_names", "heads/src/plain", "fields/src/field")
    ],
    extra_compile_args=FIELDS.extra_compile_args,
)
CALLS = Extension(
    "sentinel_host.native._calls",
    [
        *(f"host/native/calls/{name}.c" for name in ("module", "src/answer", "src/chain", "src/edited", "src/known")),
        *(f"host/native/fields/src/{name}.c" for name in ("field", "record", "writer")),
    ],
    depends=["host/native/src/engine.h", "host/native/src/guest.h", "host/native/src/plan.h"],
    extra_compile_args=FIELDS.extra_compile_args,
)
PENDING = Extension(
    "sentinel_host.http.client._pending",
    ["host/native/pending/module.c"],
    extra_compile_args=FIELDS.extra_compile_args,
)
CHECK = Extension(
    "sentinel_host.limiter._check",
    ["host/native/limiter/module.c", "host/native/limiter/src/state.c"],
    extra_compile_args=FIELDS.extra_compile_args,
)
ENDPOINTS = Extension(
    "sentinel_host.upstream._endpoints",
    sorted(str(path) for path in Path("host/native/endpoints").glob("*.c"))
    + [f"host/native/endpoints/src/{name}.c" for name in ("group", "maglev", "table")],
    extra_compile_args=FIELDS.extra_compile_args,
)
ACCESS = Extension(
    "sentinel_host.observe._access",
    ["host/native/access/module.c", "host/native/access/src/line.c"],
    extra_compile_args=FIELDS.extra_compile_args,
)
HPACK = Extension(
    "sentinel_host.http.h2._hpack",
    [f"host/native/hpack/{name}.c" for name in ("module", "decoder_type", "src/block", "src/huffman")],
    extra_compile_args=FIELDS.extra_compile_args,
)
SECTION = Extension(
    "sentinel_host.http.server._section",
    ["host/native/section/module.c", "host/native/section/src/rules.c", "host/native/fields/src/field.c"],
    extra_compile_args=FIELDS.extra_compile_args,
)
# No module of Python's, but a library that builds of guests preload.
STEADY = Extension(
    "sentinel_host.authoring._steady", ["host/native/steady/module.c"], extra_compile_args=FIELDS.extra_compile_args
)
HOT_PATH = (
    "abi/decode",
    "abi/encode",
    "abi/rules",
    "gateway/abilities",
    "gateway/bodies",
    "gateway/dataplane",
    "gateway/exchange",
    "gateway/filtered",
    "gateway/generation",
    "gateway/grpc",
    "gateway/grpc_web",
    "gateway/limited",
    "gateway/limits",
    "gateway/response",
    "gateway/routes",
    "gateway/stats",
    "gateway/top_keys",
    "gateway/tunnel",
    "gateway/whole",
    "http/field_section",
    "http/methods",
    "http/h2/connection",
    "http/h2/flow",
    "http/h2/hpack",
    "http/h2/protocol",
    "http/h2/reader",
    "http/h2/sink",
    "http/h2/wire",
    "http/h3/connection",
    "http/h3/protocol",
    "http/h3/sink",
    "http/server/budget",
    "http/server/request_body",
    "http/server/request_fields",
    "http/server/request_streams",
    "http/server/response_fields",
    "http/server/sink",
    "http/server/stream",
    "http/server/stream_tasks",
    "http/server/write_clock",
    "http/batch",
    "http/chunked",
    "http/h1/bodies",
    "http/h1/body_relay",
    "http/server/connections",
    "http/server/limits",
    "http/h1/connection",
    "http/h1/exchange",
    "http/h1/head",
    "http/h1/head_reader",
    "http/h1/llhttp",
    "http/h1/parsed_head",
    "http/h1/protocol",
    "http/h1/framer",
    "http/server/replies",
    "http/server/scope",
    "http/server/sent",
    "http/stepped",
    "http/wakeup",
    "http/server/writer",
    "http/h1/response",
    "http/h1/task",
    "http/server/deferred",
    "http/rules/admission",
    "http/rules/admitted",
    "http/rules/fields",
    "http/rules/forwarded",
    "http/rules/forwarding",
    "http/rules/peers",
    "http/rules/request_ids",
    "http/rules/responses",
    "http/rules/special",
    "http/rules/target",
    "http/tls/connection",
    "http/tls/records",
    "http/client/connection",
    "http/client/h1",
    "http/client/h2_connection",
    "http/client/h2_fields",
    "http/client/h2_pool",
    "http/client/h2_response",
    "http/client/h2_stream",
    "http/client/h2_tunnel",
    "http/client/head",
    "http/client/pool",
    "http/client/request",
    "http/client/response",
    "http/client/sweeps",
    "http/client/upload",
    "limiter/fields",
    "limiter/keys",
    "limiter/table",
    "grammar",
    "memo",
    "messages",
    "native/guest",
    "native/log",
    "native/trail",
    "observe/access_log",
    "observe/changes",
    "observe/recorder",
    "observe/recording",
    "observe/ring",
    "observe/trace_context",
    "observe/watched",
    "paths",
    "pipeline/chain",
    "pipeline/edits",
    "pipeline/failures",
    "pipeline/filters",
    "pipeline/run",
    "sandbox/actions",
    "sandbox/bodies",
    "sandbox/breaker",
    "sandbox/caller",
    "sandbox/direct",
    "sandbox/logs",
    "sandbox/middleware",
    "sandbox/pool",
    "sandbox/quarantine",
    "sandbox/stats",
    "sandbox/text",
    "supervisor/fairness",
    "upstream/balancer",
    "upstream/budget",
    "upstream/call",
    "upstream/endpoint",
    "upstream/hashing",
    "upstream/outliers",
    "upstream/replay",
    "upstream/settings",
    "upstream/sticky",
    "upstream/upstream",
)


def sdk_sources() -> list[str]:
    """The files that make up ``_sdk``, by their paths in the repository."""
    found = (path for pattern in SDK_SOURCES for path in Path().glob(pattern))
    files = sorted(str(path) for path in found if not path.name.endswith("_test.go"))
    if not files:
        raise FileNotFoundError("neither sdk nor wit is here: the package is built from a checkout or a source archive")
    return files


def sdk_places(source: str) -> list[str]:
    """Where a file of `sdk_sources` goes: the npm package has a contract of its own, as when npm
    packs it.
    """
    if not source.startswith("wit/"):
        return [f"{SDK}/{source.removeprefix('sdk/')}"]
    return [f"{SDK}/{source}", *([f"{SDK}/assemblyscript/{source}"] if source.endswith(".wit") else [])]


class BuildWithSdk(build_py):
    """Also copies the SDKs; an installation of a working tree has them in place."""

    def run(self) -> None:
        """Part of setuptools' protocol of commands."""
        super().run()
        if not self.editable_mode:
            for source in sdk_sources():
                for place in sdk_places(source):
                    target = Path(self.build_lib, place)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self.copy_file(source, str(target), preserve_mode=False)

    def get_source_files(self) -> list[str]:
        """Part of setuptools' protocol: what a source archive must have."""
        return [*super().get_source_files(), *sdk_sources()]


class BuildExtInParallel(build_ext):
    """Compiles the sources of an extension at the same time, on as many cores as there are."""

    def build_extension(self, ext: Extension) -> None:
        """Part of setuptools' protocol of commands: only the linking is left to the original."""
        compile_one = functools.partial(
            self.compiler.compile,
            output_dir=self.build_temp,
            include_dirs=ext.include_dirs,
            macros=ext.define_macros,
            debug=self.debug,
            extra_postargs=ext.extra_compile_args,
            depends=ext.depends,
        )
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            objects = pool.map(lambda source: compile_one([source]), ext.sources)
            ext.extra_objects = [*ext.extra_objects, *(path for paths in objects for path in paths)]
        ext.sources = []
        super().build_extension(ext)


def compiled() -> list[Extension]:
    """The hot path as extensions; none where it is to stay as it is, or where setuptools only asks
    for metadata.
    """
    if not {"bdist_wheel", "build_ext"} & set(sys.argv) or os.environ.get("SENTINEL_COMPILE") == "0":
        return []
    from mypyc.build import mypycify

    os.environ["MYPYPATH"] = "host"
    # The libraries are not there while a wheel is built: `nox -s types` is where their types are
    # checked.
    options = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent", "--explicit-package-bases"]
    modules = [f"{PACKAGE}{module}.py" for module in HOT_PATH]
    extensions = mypycify([*options, *modules], opt_level="2", debug_level="0", multi_file=True)
    for extension in extensions:
        # Calls between the files stay inside the library: without this each would go through its
        # table of symbols. (All of them share one list.)
        extension.extra_compile_args = [*extension.extra_compile_args, "-fvisibility=hidden"]
    return extensions


if __name__ == "__main__":
    setup(
        cmdclass={"build_py": BuildWithSdk, "build_ext": BuildExtInParallel},
        cffi_modules=[
            "host/native/build_ffi.py:ffibuilder",
            "host/native/kv/build_ffi.py:ffibuilder",
            "host/native/limiter/build_ffi.py:ffibuilder",
        ],
        ext_modules=[FIELDS, CALLS, PENDING, CHECK, ENDPOINTS, ACCESS, HEADS, HPACK, SECTION, STEADY, *compiled()],
    )
