//! The declarations of sentinel.h and sentinel_test.h, without the functions that take a `va_list`.
//!
//! `zig translate-c` made them, and its compiling of itself, which takes minutes once, is why they
//! are kept. A test compares their names with the headers'.

pub const sentinel_bytes = extern struct {
    data: [*c]const u8 = null,
    size: usize = 0,
};
pub const SENTINEL_NIL: c_uint = 0;
pub const SENTINEL_BOOL: c_uint = 1;
pub const SENTINEL_INTEGER: c_uint = 2;
pub const SENTINEL_FLOAT: c_uint = 3;
pub const SENTINEL_STRING: c_uint = 4;
pub const SENTINEL_BINARY: c_uint = 5;
pub const SENTINEL_LIST: c_uint = 6;
pub const SENTINEL_MAP: c_uint = 7;
pub const SENTINEL_NOTHING: c_uint = 8;
pub const sentinel_kind = c_uint;
pub const sentinel_reader = extern struct {
    at: [*c]const u8 = null,
    end: [*c]const u8 = null,
    failed: bool = false,
};
pub extern fn sentinel_reader_over(data: ?*const anyopaque, size: usize) sentinel_reader;
pub extern fn sentinel_peek(reader: [*c]const sentinel_reader) sentinel_kind;
pub extern fn sentinel_read_nil(reader: [*c]sentinel_reader) bool;
pub extern fn sentinel_read_bool(reader: [*c]sentinel_reader) bool;
pub extern fn sentinel_read_unsigned(reader: [*c]sentinel_reader) u64;
pub extern fn sentinel_read_integer(reader: [*c]sentinel_reader) i64;
pub extern fn sentinel_read_float(reader: [*c]sentinel_reader) f64;
pub extern fn sentinel_read_string(reader: [*c]sentinel_reader) sentinel_bytes;
pub extern fn sentinel_read_optional_string(reader: [*c]sentinel_reader) sentinel_bytes;
pub extern fn sentinel_read_binary(reader: [*c]sentinel_reader) sentinel_bytes;
pub extern fn sentinel_read_list(reader: [*c]sentinel_reader) usize;
pub extern fn sentinel_read_map(reader: [*c]sentinel_reader) usize;
pub extern fn sentinel_skip(reader: [*c]sentinel_reader) void;
pub const sentinel_writer = extern struct {
    data: [*c]u8 = null,
    size: usize = 0,
    capacity: usize = 0,
};
pub extern fn sentinel_write_nil(writer: [*c]sentinel_writer) void;
pub extern fn sentinel_write_bool(writer: [*c]sentinel_writer, value: bool) void;
pub extern fn sentinel_write_unsigned(writer: [*c]sentinel_writer, value: u64) void;
pub extern fn sentinel_write_integer(writer: [*c]sentinel_writer, value: i64) void;
pub extern fn sentinel_write_float(writer: [*c]sentinel_writer, value: f64) void;
pub extern fn sentinel_write_string(writer: [*c]sentinel_writer, text: sentinel_bytes) void;
pub extern fn sentinel_write_binary(writer: [*c]sentinel_writer, bytes: sentinel_bytes) void;
pub extern fn sentinel_write_list(writer: [*c]sentinel_writer, count: usize) void;
pub extern fn sentinel_write_map(writer: [*c]sentinel_writer, count: usize) void;
pub extern fn sentinel_write_raw(writer: [*c]sentinel_writer, data: ?*const anyopaque, size: usize) void;
pub extern fn sentinel_text(text: [*c]const u8) sentinel_bytes;
pub extern fn sentinel_format(format: [*c]const u8, ...) [*c]const u8;
pub extern fn sentinel_string(text: sentinel_bytes) [*c]const u8;
pub extern fn sentinel_equal(a: sentinel_bytes, b: sentinel_bytes) bool;
pub extern fn sentinel_is(bytes: sentinel_bytes, text: [*c]const u8) bool;
pub extern fn sentinel_is_ignoring_case(bytes: sentinel_bytes, text: [*c]const u8) bool;
pub extern fn sentinel_starts_with(bytes: sentinel_bytes, text: [*c]const u8) bool;
pub extern fn sentinel_ends_with(bytes: sentinel_bytes, text: [*c]const u8) bool;
pub extern fn sentinel_equal_secret(guess: sentinel_bytes, secret: sentinel_bytes) bool;
pub extern fn sentinel_lower(text: sentinel_bytes) sentinel_bytes;
pub extern fn sentinel_media_type(content_type: sentinel_bytes) sentinel_bytes;
pub extern fn sentinel_json_string(text: sentinel_bytes) sentinel_bytes;
pub extern fn sentinel_is_utf8(text: sentinel_bytes) bool;
pub extern fn sentinel_allocate(size: usize) ?*anyopaque;
pub extern fn sentinel_keep(size: usize) ?*anyopaque;
pub extern fn sentinel_release(kept: ?*anyopaque) void;
pub const SENTINEL_TRACE: c_uint = 0;
pub const SENTINEL_DEBUG: c_uint = 1;
pub const SENTINEL_INFO: c_uint = 2;
pub const SENTINEL_WARN: c_uint = 3;
pub const SENTINEL_ERROR: c_uint = 4;
pub const sentinel_level = c_uint;
pub extern fn sentinel_log(level: sentinel_level, format: [*c]const u8, ...) void;
pub extern fn sentinel_log_text(level: sentinel_level, text: sentinel_bytes) void;
pub extern fn sentinel_fail(format: [*c]const u8, ...) noreturn;
pub const sentinel_header = extern struct {
    name: sentinel_bytes = .{},
    value: sentinel_bytes = .{},
};
pub const sentinel_headers = extern struct {
    items: [*c]const sentinel_header = null,
    count: usize = 0,
};
pub extern fn sentinel_get(headers: sentinel_headers, name: [*c]const u8) sentinel_bytes;
pub extern fn sentinel_has(headers: sentinel_headers, name: [*c]const u8) bool;
pub extern fn sentinel_count(headers: sentinel_headers, name: [*c]const u8) usize;
pub const sentinel_header_edits = extern struct {
    encoded: sentinel_writer = .{},
    count: usize = 0,
};
pub extern fn sentinel_set(edits: [*c]sentinel_header_edits, name: [*c]const u8, value: sentinel_bytes) void;
pub extern fn sentinel_append(edits: [*c]sentinel_header_edits, name: [*c]const u8, value: sentinel_bytes) void;
pub extern fn sentinel_remove(edits: [*c]sentinel_header_edits, name: [*c]const u8) void;
pub extern fn sentinel_add_edits(edits: [*c]sentinel_header_edits, others: [*c]const sentinel_header_edits) void;
pub extern fn sentinel_header_name_problem(name: sentinel_bytes) [*c]const u8;
pub extern fn sentinel_header_value_problem(value: sentinel_bytes) [*c]const u8;
pub const SENTINEL_SKIP: c_uint = 0;
pub const SENTINEL_STREAM: c_uint = 1;
pub const SENTINEL_BUFFER: c_uint = 2;
pub const sentinel_body_kind = c_uint;
pub const sentinel_body = extern struct {
    kind: sentinel_body_kind = 0,
    limit: u32 = 0,
};
pub const sentinel_request_edits = extern struct {
    headers: sentinel_header_edits = .{},
    context: sentinel_bytes = .{},
    path: sentinel_bytes = .{},
    query: sentinel_bytes = .{},
    method: sentinel_bytes = .{},
    upstream: sentinel_bytes = .{},
    body: sentinel_body = .{},
};
pub const sentinel_client_certificate = extern struct {
    subject: sentinel_bytes = .{},
    names: [*c]const sentinel_bytes = null,
    name_count: usize = 0,
    sha256: sentinel_bytes = .{},
    verified: bool = false,
};
pub const sentinel_request = extern struct {
    method: sentinel_bytes = .{},
    path: sentinel_bytes = .{},
    query: sentinel_bytes = .{},
    headers: sentinel_headers = .{},
    scheme: sentinel_bytes = .{},
    authority: sentinel_bytes = .{},
    client: sentinel_bytes = .{},
    request_id: sentinel_bytes = .{},
    route: sentinel_bytes = .{},
    http_version: sentinel_bytes = .{},
    client_certificate: [*c]const sentinel_client_certificate = null,
    edits: sentinel_request_edits = .{},
};
pub const sentinel_response = extern struct {
    status: u16 = 0,
    headers: sentinel_headers = .{},
    body: sentinel_bytes = .{},
};
pub const SENTINEL_FROM_UPSTREAM: c_uint = 0;
pub const SENTINEL_FROM_GUEST: c_uint = 1;
pub const SENTINEL_FROM_GATEWAY: c_uint = 2;
pub const sentinel_origin = c_uint;
pub const sentinel_response_edits = extern struct {
    headers: sentinel_header_edits = .{},
    status: u16 = 0,
    body: sentinel_body = .{},
};
pub const sentinel_incoming_response = extern struct {
    status: u16 = 0,
    headers: sentinel_headers = .{},
    origin: sentinel_origin = 0,
    context: sentinel_bytes = .{},
    edits: sentinel_response_edits = .{},
};
pub const sentinel_request_chunk = extern struct {
    bytes: sentinel_bytes = .{},
    is_last: bool = false,
    context: sentinel_bytes = .{},
    replacement: sentinel_bytes = .{},
    head: sentinel_request_edits = .{},
};
pub const sentinel_response_chunk = extern struct {
    bytes: sentinel_bytes = .{},
    is_last: bool = false,
    context: sentinel_bytes = .{},
    replacement: sentinel_bytes = .{},
    head: sentinel_response_edits = .{},
};
pub const SENTINEL_COMPLETED: c_uint = 0;
pub const SENTINEL_CLIENT_ABORTED: c_uint = 1;
pub const SENTINEL_UPSTREAM_ABORTED: c_uint = 2;
pub const SENTINEL_GATEWAY_ABORTED: c_uint = 3;
pub const sentinel_outcome = c_uint;
pub const sentinel_summary = extern struct {
    request_id: sentinel_bytes = .{},
    method: sentinel_bytes = .{},
    path: sentinel_bytes = .{},
    query: sentinel_bytes = .{},
    route: sentinel_bytes = .{},
    authority: sentinel_bytes = .{},
    client: sentinel_bytes = .{},
    http_version: sentinel_bytes = .{},
    started_at: u64 = 0,
    duration: u64 = 0,
    status: u16 = 0,
    request_bytes: u64 = 0,
    response_bytes: u64 = 0,
    outcome: sentinel_outcome = 0,
    origin: sentinel_origin = 0,
    upstream: sentinel_bytes = .{},
    has_upstream_duration: bool = false,
    upstream_duration: u64 = 0,
    endpoint: sentinel_bytes = .{},
    tries: u32 = 0,
    context: sentinel_bytes = .{},
};
pub const sentinel_value = extern struct {
    kind: sentinel_kind = 0,
    boolean: bool = false,
    integer: i64 = 0,
    number: f64 = 0,
    text: sentinel_bytes = .{},
    items: [*c]const sentinel_value = null,
    keys: [*c]const sentinel_bytes = null,
    count: usize = 0,
};
pub const sentinel_config = opaque {};
pub extern fn sentinel_config_get(config: ?*sentinel_config, key: [*c]const u8) [*c]const sentinel_value;
pub extern fn sentinel_config_text(config: ?*sentinel_config, key: [*c]const u8, fallback: [*c]const u8) sentinel_bytes;
pub extern fn sentinel_config_integer(config: ?*sentinel_config, key: [*c]const u8, fallback: i64) i64;
pub extern fn sentinel_config_float(config: ?*sentinel_config, key: [*c]const u8, fallback: f64) f64;
pub extern fn sentinel_config_bool(config: ?*sentinel_config, key: [*c]const u8, fallback: bool) bool;
pub extern fn sentinel_config_list(config: ?*sentinel_config, key: [*c]const u8, items: [*c][*c]const sentinel_value) usize;
pub extern fn sentinel_config_texts(config: ?*sentinel_config, key: [*c]const u8, items: [*c][*c]const sentinel_value) usize;
pub extern fn sentinel_config_map(config: ?*sentinel_config, key: [*c]const u8) ?*sentinel_config;
pub extern fn sentinel_config_header_name(config: ?*sentinel_config, key: [*c]const u8, fallback: [*c]const u8) [*c]const u8;
pub extern fn sentinel_config_header_edits(config: ?*sentinel_config, edits: [*c]sentinel_header_edits) void;
pub extern fn sentinel_config_all(config: ?*sentinel_config) [*c]const sentinel_value;
pub extern fn sentinel_refuse(config: ?*sentinel_config, format: [*c]const u8, ...) void;
pub extern fn sentinel_finish(config: ?*sentinel_config) [*c]const u8;
pub extern fn sentinel_wall_clock() u64;
pub extern fn sentinel_monotonic_clock() u64;
pub extern fn sentinel_random_bytes(count: u32) sentinel_bytes;
pub extern fn sentinel_random_number() u64;
pub extern fn sentinel_metrics_add(name: [*c]const u8, labels: [*c]const sentinel_header, count: usize, value: u64) void;
pub extern fn sentinel_metrics_observe(name: [*c]const u8, labels: [*c]const sentinel_header, count: usize, value: f64) void;
pub const SENTINEL_COUNTER: c_uint = 0;
pub const SENTINEL_HISTOGRAM: c_uint = 1;
pub const sentinel_metric_kind = c_uint;
pub const sentinel_metric = extern struct {
    name: [*c]const u8 = null,
    kind: sentinel_metric_kind = 0,
    help: [*c]const u8 = null,
    unit: [*c]const u8 = null,
    bounds: [*c]const f64 = null,
    bound_count: usize = 0,
};
pub extern fn sentinel_metrics_describe(metric: [*c]const sentinel_metric) void;
pub const SENTINEL_KV_OK: c_uint = 0;
pub const SENTINEL_KV_FULL: c_uint = 1;
pub const SENTINEL_KV_TOO_LARGE: c_uint = 2;
pub const SENTINEL_KV_NOT_A_NUMBER: c_uint = 3;
pub const SENTINEL_KV_UNAVAILABLE: c_uint = 4;
pub const sentinel_kv_error = c_uint;
pub extern fn sentinel_kv_get(key: sentinel_bytes, value: [*c]sentinel_bytes) sentinel_kv_error;
pub extern fn sentinel_kv_set(key: sentinel_bytes, value: sentinel_bytes, ttl: u64) sentinel_kv_error;
pub extern fn sentinel_kv_delete(key: sentinel_bytes, found: [*c]bool) sentinel_kv_error;
pub extern fn sentinel_kv_add(key: sentinel_bytes, delta: i64, ttl: u64, sum: [*c]i64) sentinel_kv_error;
pub const SENTINEL_HTTP_OK: c_uint = 0;
pub const SENTINEL_HTTP_DENIED: c_uint = 1;
pub const SENTINEL_HTTP_INVALID: c_uint = 2;
pub const SENTINEL_HTTP_TOO_MANY: c_uint = 3;
pub const SENTINEL_HTTP_TIMEOUT: c_uint = 4;
pub const SENTINEL_HTTP_UNREACHABLE: c_uint = 5;
pub const SENTINEL_HTTP_TOO_LARGE: c_uint = 6;
pub const sentinel_http_error = c_uint;
pub const sentinel_http_request = extern struct {
    method: [*c]const u8 = null,
    url: [*c]const u8 = null,
    headers: sentinel_headers = .{},
    body: sentinel_bytes = .{},
    timeout: u32 = 0,
};
pub extern fn sentinel_http_send(request: [*c]const sentinel_http_request, response: [*c]sentinel_response) sentinel_http_error;
pub const sentinel_area = extern struct {
    data: ?*const anyopaque = null,
    size: usize = 0,
};
pub const sentinel_outcome_area = extern struct {
    refused: u8 = 0,
    message: sentinel_area = .{},
};
pub const sentinel_configure_hook = fn (config: ?*sentinel_config) callconv(.c) [*c]const u8;
pub const sentinel_request_hook = fn (request: [*c]sentinel_request) callconv(.c) [*c]const sentinel_response;
pub const sentinel_response_hook = fn (response: [*c]sentinel_incoming_response) callconv(.c) [*c]const sentinel_response;
pub const sentinel_complete_hook = fn (summary: [*c]const sentinel_summary) callconv(.c) void;
pub const sentinel_request_chunk_hook = fn (chunk: [*c]sentinel_request_chunk) callconv(.c) [*c]const sentinel_response;
pub const sentinel_response_chunk_hook = fn (chunk: [*c]sentinel_response_chunk) callconv(.c) [*c]const sentinel_response;
pub extern fn sentinel_run_configure(hook: ?*const sentinel_configure_hook, config: ?*const anyopaque, size: usize) [*c]sentinel_outcome_area;
pub extern fn sentinel_run_request(hook: ?*const sentinel_request_hook, head: ?*const anyopaque, size: usize) [*c]sentinel_area;
pub extern fn sentinel_run_response(hook: ?*const sentinel_response_hook, head: ?*const anyopaque, size: usize, context: ?*const anyopaque, context_size: usize) [*c]sentinel_area;
pub extern fn sentinel_run_complete(hook: ?*const sentinel_complete_hook, summary: ?*const anyopaque, size: usize, context: ?*const anyopaque, context_size: usize) void;
pub extern fn sentinel_run_request_chunk(hook: ?*const sentinel_request_chunk_hook, chunk: ?*const anyopaque, size: usize, last: c_int, context: ?*const anyopaque, context_size: usize) [*c]sentinel_area;
pub extern fn sentinel_run_response_chunk(hook: ?*const sentinel_response_chunk_hook, chunk: ?*const anyopaque, size: usize, last: c_int, context: ?*const anyopaque, context_size: usize) [*c]sentinel_area;
pub extern fn sentinel_test_request(method: [*c]const u8, path: [*c]const u8, headers: [*c]const sentinel_header, count: usize) sentinel_request;
pub extern fn sentinel_test_response(headers: [*c]const sentinel_header, count: usize) sentinel_incoming_response;
pub extern fn sentinel_test_edited(edits: [*c]const sentinel_header_edits, name: [*c]const u8) sentinel_bytes;
pub extern fn sentinel_test_configure(hook: ?*const sentinel_configure_hook, config: [*c]const sentinel_writer) [*c]const u8;
pub extern fn sentinel_test_end_call() void;
pub extern fn sentinel_test_lines() usize;
pub extern fn sentinel_test_line(at: usize) sentinel_bytes;
pub extern fn sentinel_test_level(at: usize) sentinel_level;
pub extern fn sentinel_test_set_clocks(wall: u64, monotonic: u64) void;
pub const sentinel_test_service = fn (request: [*c]const sentinel_http_request, response: [*c]sentinel_response) callconv(.c) sentinel_http_error;
pub extern fn sentinel_test_set_service(service: ?*const sentinel_test_service) void;
pub extern fn sentinel_test_counted(name: [*c]const u8) u64;
pub extern fn sentinel_test_described(name: [*c]const u8) sentinel_bytes;
pub extern fn sentinel_test_reset() void;
