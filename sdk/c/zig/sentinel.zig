//! Guests of the Sentinel gateway in Zig.
//!
//! A guest is a file whose public functions are the hooks that the gateway calls: `configure`,
//! `onRequest`, `onResponse`, `onComplete`, `onRequestChunk`, `onResponseChunk`. A hook that is not
//! there costs nothing, and a public function whose name begins with `on` and is none does not
//! compile. An error that a hook returns, and a panic, are logged and fail the call: the client
//! gets 503, or what `on_failure` says.
//!
//! What a hook is given, and what `allocator` allocates, is the guest's until the hook ends; what
//! `configure` reads and allocates stays. What has to outlive a hook otherwise comes from
//! `keeping`. Several instances serve, so that what later hooks of one request need goes into its
//! context.
//!
//! All of it stands on the C SDK, whose declarations are in `c`.

const std = @import("std");
pub const c = @import("c.zig");

/// The bytes that C hands over; null for those that are absent.
pub fn slice(bytes: c.sentinel_bytes) ?[]const u8 {
    return if (bytes.data == null) null else bytes.data[0..bytes.size];
}

/// The bytes that C takes. Empty ones are there, too.
pub fn view(bytes: []const u8) c.sentinel_bytes {
    return .{ .data = if (bytes.len > 0) bytes.ptr else "", .size = bytes.len };
}

fn optional(bytes: ?[]const u8) c.sentinel_bytes {
    return if (bytes) |found| view(found) else .{ .data = null, .size = 0 };
}

fn text(bytes: c.sentinel_bytes) []const u8 {
    return slice(bytes) orelse "";
}

/// Text that C takes with a NUL at its end.
fn terminated(bytes: []const u8) [*c]const u8 {
    return c.sentinel_string(view(bytes));
}

/// Memory until the hook ends; in `configure`, for good.
pub const allocator: std.mem.Allocator = .{ .ptr = undefined, .vtable = &.{
    .alloc = allocate,
    .resize = std.mem.Allocator.noResize,
    .remap = std.mem.Allocator.noRemap,
    .free = std.mem.Allocator.noFree,
} };

/// Memory until it is freed.
pub const keeping: std.mem.Allocator = .{ .ptr = undefined, .vtable = &.{
    .alloc = keep,
    .resize = std.mem.Allocator.noResize,
    .remap = std.mem.Allocator.noRemap,
    .free = release,
} };

fn allocate(_: *anyopaque, size: usize, alignment: std.mem.Alignment, _: usize) ?[*]u8 {
    const spare = if (alignment.toByteUnits() > 8) alignment.toByteUnits() else 0;
    const at = @intFromPtr(c.sentinel_allocate(size + spare).?);
    return @ptrFromInt(alignment.forward(at));
}

fn keep(_: *anyopaque, size: usize, alignment: std.mem.Alignment, _: usize) ?[*]u8 {
    return if (alignment.toByteUnits() > 8) null else @ptrCast(c.sentinel_keep(size).?);
}

fn release(_: *anyopaque, memory: []u8, _: std.mem.Alignment, _: usize) void {
    c.sentinel_release(memory.ptr);
}

/// Lines of the gateway's log.
pub const log = struct {
    pub fn trace(comptime format: []const u8, arguments: anytype) void {
        write(c.SENTINEL_TRACE, format, arguments);
    }
    pub fn debug(comptime format: []const u8, arguments: anytype) void {
        write(c.SENTINEL_DEBUG, format, arguments);
    }
    pub fn info(comptime format: []const u8, arguments: anytype) void {
        write(c.SENTINEL_INFO, format, arguments);
    }
    pub fn warn(comptime format: []const u8, arguments: anytype) void {
        write(c.SENTINEL_WARN, format, arguments);
    }
    pub fn err(comptime format: []const u8, arguments: anytype) void {
        write(c.SENTINEL_ERROR, format, arguments);
    }

    fn write(level: anytype, comptime format: []const u8, arguments: anytype) void {
        const line = std.fmt.allocPrint(allocator, format, arguments) catch return;
        c.sentinel_log_text(level, view(line));
    }
};

/// Logs the message and ends the call.
pub fn fail(message: []const u8) noreturn {
    c.sentinel_log_text(c.SENTINEL_ERROR, view(message));
    @trap();
}

fn panicked(message: []const u8, _: ?usize) noreturn {
    fail(message);
}

pub const panic = std.debug.FullPanic(panicked);

/// A header field.
pub const Header = struct { name: []const u8, value: []const u8 };

/// Header fields in the order of arrival.
pub const Headers = struct {
    raw: c.sentinel_headers,

    /// The first value of that name, which is in lower case.
    pub fn get(self: Headers, name: [:0]const u8) ?[]const u8 {
        return slice(c.sentinel_get(self.raw, name));
    }
    pub fn has(self: Headers, name: [:0]const u8) bool {
        return c.sentinel_has(self.raw, name);
    }
    /// How many fields have that name.
    pub fn countOf(self: Headers, name: [:0]const u8) usize {
        return c.sentinel_count(self.raw, name);
    }
    pub fn count(self: Headers) usize {
        return self.raw.count;
    }
    pub fn at(self: Headers, index: usize) Header {
        return .{ .name = text(self.raw.items[index].name), .value = text(self.raw.items[index].value) };
    }
};

/// Changes to header fields that are made once, such as those that `Config.headerEdits` reads.
pub const Edits = c.sentinel_header_edits;

/// Changes to header fields, in order.
pub const HeaderEdits = struct {
    raw: *c.sentinel_header_edits,

    pub fn set(self: HeaderEdits, name: [:0]const u8, value: []const u8) void {
        c.sentinel_set(self.raw, name, view(value));
    }
    pub fn append(self: HeaderEdits, name: [:0]const u8, value: []const u8) void {
        c.sentinel_append(self.raw, name, view(value));
    }
    pub fn remove(self: HeaderEdits, name: [:0]const u8) void {
        c.sentinel_remove(self.raw, name);
    }
    /// All of the others.
    pub fn addAll(self: HeaderEdits, others: *const Edits) void {
        c.sentinel_add_edits(self.raw, others);
    }
};

/// Whether, and how, a guest sees a body.
pub const Body = union(enum) {
    skip,
    stream,
    /// Whole; the largest that is accepted, in bytes.
    buffer: u32,

    fn convert(self: Body) c.sentinel_body {
        return switch (self) {
            .skip => .{ .kind = c.SENTINEL_SKIP, .limit = 0 },
            .stream => .{ .kind = c.SENTINEL_STREAM, .limit = 0 },
            .buffer => |limit| .{ .kind = c.SENTINEL_BUFFER, .limit = limit },
        };
    }
};

/// Header fields for a response that outlive the function that made them.
pub fn copied(headers: []const Header) []const Header {
    return allocator.dupe(Header, headers) catch fail("out of memory");
}

/// A response that a guest makes.
pub const Response = struct {
    status: u16 = 200,
    headers: []const Header = &.{},
    body: []const u8 = "",

    fn convert(self: Response) *const c.sentinel_response {
        const fields = allocator.alloc(c.sentinel_header, self.headers.len) catch fail("out of memory");
        for (fields, self.headers) |*field, header| {
            field.* = .{ .name = view(header.name), .value = view(header.value) };
        }
        const made = allocator.create(c.sentinel_response) catch fail("out of memory");
        made.* = .{
            .status = self.status,
            .headers = .{ .items = if (fields.len > 0) fields.ptr else null, .count = fields.len },
            .body = view(self.body),
        };
        return made;
    }
};

/// Changes to a request's head.
pub const RequestEdits = struct {
    raw: *c.sentinel_request_edits,

    pub fn headers(self: RequestEdits) HeaderEdits {
        return .{ .raw = &self.raw.headers };
    }
    pub fn setPath(self: RequestEdits, path: []const u8) void {
        self.raw.path = view(path);
    }
    /// Empty removes the query.
    pub fn setQuery(self: RequestEdits, query: []const u8) void {
        self.raw.query = view(query);
    }
    pub fn setMethod(self: RequestEdits, method: []const u8) void {
        self.raw.method = view(method);
    }
    pub fn setUpstream(self: RequestEdits, upstream: []const u8) void {
        self.raw.upstream = view(upstream);
    }
};

/// What is known of a client that showed a certificate in the TLS handshake.
pub const ClientCertificate = struct {
    raw: *const c.sentinel_client_certificate,
    /// The subject's distinguished name (RFC 4514), for example `CN=alice,O=Example`.
    subject: []const u8,
    /// SHA-256 of the certificate, in lower-case hexadecimal digits.
    sha256: []const u8,
    /// Whether an authority of the listener has signed it, and it was valid at the handshake.
    verified: bool,

    fn init(raw: *const c.sentinel_client_certificate) ClientCertificate {
        return .{
            .raw = raw,
            .subject = text(raw.subject),
            .sha256 = text(raw.sha256),
            .verified = raw.verified,
        };
    }

    /// How many of the subject's alternative names there are.
    pub fn nameCount(self: ClientCertificate) usize {
        return self.raw.name_count;
    }
    /// One of them with its kind, for example `URI:spiffe://example.org/a`.
    pub fn name(self: ClientCertificate, index: usize) []const u8 {
        return text(self.raw.names[index]);
    }
};

/// A request's head. Texts are those that the gateway sent; `raw` has what is not shown here.
pub const Request = struct {
    raw: *c.sentinel_request,
    method: []const u8,
    path: []const u8,
    query: ?[]const u8,
    headers: Headers,
    client: []const u8,
    authority: []const u8,
    route: []const u8,
    id: []const u8,

    fn init(raw: *c.sentinel_request) Request {
        return .{
            .raw = raw,
            .method = text(raw.method),
            .path = text(raw.path),
            .query = slice(raw.query),
            .headers = .{ .raw = raw.headers },
            .client = text(raw.client),
            .authority = text(raw.authority),
            .route = text(raw.route),
            .id = text(raw.request_id),
        };
    }

    /// Null when the listener asks for none, or the client showed none.
    pub fn clientCertificate(self: *const Request) ?ClientCertificate {
        return if (self.raw.client_certificate != null) ClientCertificate.init(self.raw.client_certificate) else null;
    }
    /// The first value of that header field.
    pub fn header(self: *const Request, name: [:0]const u8) ?[]const u8 {
        return self.headers.get(name);
    }
    pub fn setHeader(self: *Request, name: [:0]const u8, value: []const u8) void {
        self.edits().headers().set(name, value);
    }
    pub fn appendHeader(self: *Request, name: [:0]const u8, value: []const u8) void {
        self.edits().headers().append(name, value);
    }
    pub fn removeHeader(self: *Request, name: [:0]const u8) void {
        self.edits().headers().remove(name);
    }
    pub fn edits(self: *Request) RequestEdits {
        return .{ .raw = &self.raw.edits };
    }
    /// For this guest's later hooks on the same request.
    pub fn setContext(self: *Request, context: []const u8) void {
        self.raw.edits.context = view(context);
    }
    pub fn setBody(self: *Request, body: Body) void {
        self.raw.edits.body = body.convert();
    }
    /// In tests: what the last edit of that header field makes of it.
    pub fn editedHeader(self: *const Request, name: [:0]const u8) ?[]const u8 {
        return slice(c.sentinel_test_edited(&self.raw.edits.headers, name));
    }
};

/// Who made a response.
pub const Origin = enum(u8) { upstream, guest, gateway };

/// A response's head.
pub const IncomingResponse = struct {
    raw: *c.sentinel_incoming_response,
    status: u16,
    headers: Headers,
    origin: Origin,
    context: []const u8,

    fn init(raw: *c.sentinel_incoming_response) IncomingResponse {
        return .{
            .raw = raw,
            .status = raw.status,
            .headers = .{ .raw = raw.headers },
            .origin = @fromBackingInt(@intCast(raw.origin)),
            .context = text(raw.context),
        };
    }

    pub fn header(self: *const IncomingResponse, name: [:0]const u8) ?[]const u8 {
        return self.headers.get(name);
    }
    pub fn setHeader(self: *IncomingResponse, name: [:0]const u8, value: []const u8) void {
        self.edits().set(name, value);
    }
    pub fn appendHeader(self: *IncomingResponse, name: [:0]const u8, value: []const u8) void {
        self.edits().append(name, value);
    }
    pub fn removeHeader(self: *IncomingResponse, name: [:0]const u8) void {
        self.edits().remove(name);
    }
    pub fn edits(self: *IncomingResponse) HeaderEdits {
        return .{ .raw = &self.raw.edits.headers };
    }
    pub fn setStatus(self: *IncomingResponse, status: u16) void {
        self.raw.edits.status = status;
    }
    /// In tests: what the last edit of that header field makes of it.
    pub fn editedHeader(self: *const IncomingResponse, name: [:0]const u8) ?[]const u8 {
        return slice(c.sentinel_test_edited(&self.raw.edits.headers, name));
    }
    pub fn setBody(self: *IncomingResponse, body: Body) void {
        self.raw.edits.body = body.convert();
    }
};

/// A piece of a request's body.
pub const RequestChunk = struct {
    raw: *c.sentinel_request_chunk,
    bytes: []const u8,
    is_last: bool,
    context: []const u8,

    fn init(raw: *c.sentinel_request_chunk) RequestChunk {
        return .{ .raw = raw, .bytes = text(raw.bytes), .is_last = raw.is_last, .context = text(raw.context) };
    }

    /// Sends these bytes in its place; empty sends nothing.
    pub fn replace(self: *RequestChunk, bytes: []const u8) void {
        self.raw.replacement = view(bytes);
    }
    /// Changes to the head, while the body is buffered.
    pub fn head(self: *RequestChunk) RequestEdits {
        return .{ .raw = &self.raw.head };
    }
};

/// A piece of a response's body.
pub const ResponseChunk = struct {
    raw: *c.sentinel_response_chunk,
    bytes: []const u8,
    is_last: bool,
    context: []const u8,

    fn init(raw: *c.sentinel_response_chunk) ResponseChunk {
        return .{ .raw = raw, .bytes = text(raw.bytes), .is_last = raw.is_last, .context = text(raw.context) };
    }

    /// Sends these bytes in its place; empty sends nothing.
    pub fn replace(self: *ResponseChunk, bytes: []const u8) void {
        self.raw.replacement = view(bytes);
    }
    /// Changes to the head's fields, while the body is buffered.
    pub fn headers(self: *ResponseChunk) HeaderEdits {
        return .{ .raw = &self.raw.head.headers };
    }
    pub fn setStatus(self: *ResponseChunk, status: u16) void {
        self.raw.head.status = status;
    }
};

/// How a request ended; `slice` makes text of its fields.
pub const Summary = c.sentinel_summary;

/// The configuration, or a map in it. A key of another type gives the fallback, and `finish` then
/// refuses.
pub const Config = struct {
    raw: *c.sentinel_config,

    pub fn string(self: Config, key: [:0]const u8, fallback: []const u8) []const u8 {
        return slice(c.sentinel_config_text(self.raw, key, null)) orelse fallback;
    }
    pub fn int(self: Config, key: [:0]const u8, fallback: i64) i64 {
        return c.sentinel_config_integer(self.raw, key, fallback);
    }
    pub fn float(self: Config, key: [:0]const u8, fallback: f64) f64 {
        return c.sentinel_config_float(self.raw, key, fallback);
    }
    pub fn boolean(self: Config, key: [:0]const u8, fallback: bool) bool {
        return c.sentinel_config_bool(self.raw, key, fallback);
    }
    /// The texts of a list; none if there is no such key.
    pub fn strings(self: Config, key: [:0]const u8) ![]const []const u8 {
        var items: [*c]const c.sentinel_value = null;
        const count = c.sentinel_config_texts(self.raw, key, &items);
        const found = try allocator.alloc([]const u8, count);
        for (found, 0..) |*each, at| each.* = text(items[at].text);
        return found;
    }
    pub fn map(self: Config, key: [:0]const u8) Config {
        return .{ .raw = c.sentinel_config_map(self.raw, key).? };
    }
    /// All keys of the map, which count as read.
    pub fn entries(self: Config) Entries {
        return .{ .raw = c.sentinel_config_all(self.raw) };
    }
    /// The name of a header field that a guest may edit, in lower case.
    pub fn headerName(self: Config, key: [:0]const u8, fallback: [:0]const u8) [:0]const u8 {
        return std.mem.span(@as([*:0]const u8, @ptrCast(c.sentinel_config_header_name(self.raw, key, fallback))));
    }
    /// What `remove`, `set` and `append` say.
    pub fn headerEdits(self: Config) Edits {
        var edits: Edits = .{};
        c.sentinel_config_header_edits(self.raw, &edits);
        return edits;
    }
    /// Refuses the configuration, for what is wrong in this map.
    pub fn refuse(self: Config, comptime format: []const u8, arguments: anytype) void {
        const problem = std.fmt.allocPrint(allocator, format, arguments) catch fail("out of memory");
        c.sentinel_refuse(self.raw, "%s", terminated(problem));
    }
    /// What is wrong, keys included that nobody asked for: the result of `configure`.
    pub fn finish(self: Config) ?[]const u8 {
        const problem = c.sentinel_finish(self.raw);
        return if (problem == null) null else text(c.sentinel_text(problem));
    }
};

/// The keys and values of a map in the configuration, in order.
pub const Entries = struct {
    raw: [*c]const c.sentinel_value,

    pub fn count(self: Entries) usize {
        return self.raw.*.count;
    }
    pub fn key(self: Entries, at: usize) []const u8 {
        return text(self.raw.*.keys[at]);
    }
    /// The value at a key, if it is a string.
    pub fn string(self: Entries, at: usize) ?[]const u8 {
        return slice(self.raw.*.items[at].text);
    }
};

/// Why that is not a header's value.
pub fn headerValueProblem(value: []const u8) ?[]const u8 {
    return slice(c.sentinel_text(c.sentinel_header_value_problem(view(value))));
}

/// Whether both are the same; the time does not tell how much of a guess was right.
pub fn equalSecret(guess: []const u8, secret: []const u8) bool {
    return c.sentinel_equal_secret(view(guess), view(secret));
}

/// Of a `content-type` the media type, in lower case and without parameters.
pub fn mediaType(content_type: []const u8) []const u8 {
    return text(c.sentinel_media_type(view(content_type)));
}

/// The text as a string of JSON, with its quotation marks.
pub fn jsonString(value: []const u8) []const u8 {
    return text(c.sentinel_json_string(view(value)));
}

/// Nanoseconds; the grant is `clock`.
pub const clock = struct {
    /// Since 1970 in UTC.
    pub fn wall() u64 {
        return c.sentinel_wall_clock();
    }
    /// Since some moment; never backwards.
    pub fn monotonic() u64 {
        return c.sentinel_monotonic_clock();
    }
};

/// Fit for keys; the grant is `random`.
pub const random = struct {
    /// At most 65,536 of them.
    pub fn bytes(count: u32) []const u8 {
        return text(c.sentinel_random_bytes(count));
    }
    pub fn number() u64 {
        return c.sentinel_random_number();
    }
};

/// The gateway's metrics; the grant is `metrics`.
pub const metrics = struct {
    pub fn add(name: [:0]const u8, labels: []const Header, value: u64) void {
        const converted = (Response{ .headers = labels }).convert();
        c.sentinel_metrics_add(name, converted.headers.items, labels.len, value);
    }
    pub fn observe(name: [:0]const u8, labels: []const Header, value: f64) void {
        const converted = (Response{ .headers = labels }).convert();
        c.sentinel_metrics_observe(name, converted.headers.items, labels.len, value);
    }

    /// What a metric is: what `add` counts, or what `observe` observes.
    pub const Kind = enum { counter, histogram };
    pub const Description = struct {
        /// At most 256 bytes.
        help: [:0]const u8 = "",
        /// Such as `seconds`; the name ends in it.
        unit: [:0]const u8 = "",
        /// The upper ends of a histogram's buckets: at most 16, ascending.
        bounds: []const f64 = &.{},
    };

    /// Says what a metric is. It is there for `configure`; saying the same again changes nothing.
    pub fn describe(name: [:0]const u8, kind: Kind, description: Description) void {
        const metric: c.sentinel_metric = .{
            .name = name,
            .kind = switch (kind) {
                .counter => c.SENTINEL_COUNTER,
                .histogram => c.SENTINEL_HISTOGRAM,
            },
            .help = description.help,
            .unit = description.unit,
            .bounds = description.bounds.ptr,
            .bound_count = description.bounds.len,
        };
        c.sentinel_metrics_describe(&metric);
    }
};

/// Keys that all workers share, for so many milliseconds or, with 0, for ever; the grant is `kv`.
pub const kv = struct {
    pub const Error = error{ Full, TooLarge, NotANumber, Unavailable };

    pub fn get(key: []const u8) Error!?[]const u8 {
        var value: c.sentinel_bytes = undefined;
        try check(c.sentinel_kv_get(view(key), &value));
        return slice(value);
    }
    pub fn set(key: []const u8, value: []const u8, ttl: u64) Error!void {
        try check(c.sentinel_kv_set(view(key), view(value), ttl));
    }
    /// Whether there was one.
    pub fn delete(key: []const u8) Error!bool {
        var found: bool = undefined;
        try check(c.sentinel_kv_delete(view(key), &found));
        return found;
    }
    /// The sum.
    pub fn add(key: []const u8, delta: i64, ttl: u64) Error!i64 {
        var sum: i64 = undefined;
        try check(c.sentinel_kv_add(view(key), delta, ttl, &sum));
        return sum;
    }

    fn check(code: anytype) Error!void {
        return switch (code) {
            c.SENTINEL_KV_OK => {},
            c.SENTINEL_KV_FULL => error.Full,
            c.SENTINEL_KV_TOO_LARGE => error.TooLarge,
            c.SENTINEL_KV_NOT_A_NUMBER => error.NotANumber,
            else => error.Unavailable,
        };
    }
};

/// Asking HTTP services; the grant is `http-client`.
pub const http = struct {
    pub const Error = error{ Denied, Invalid, TooMany, Timeout, Unreachable, TooLarge };
    pub const Answer = struct { status: u16, headers: Headers, body: []const u8 };
    pub const Outbound = struct {
        method: [:0]const u8 = "GET",
        url: [:0]const u8,
        headers: []const Header = &.{},
        body: []const u8 = "",
        /// Milliseconds for all of it; 0 for what the configuration says.
        timeout: u32 = 0,
    };

    /// Waits for the whole answer; the guest is suspended meanwhile.
    pub fn send(outbound: Outbound) Error!Answer {
        const converted = (Response{ .headers = outbound.headers }).convert();
        const request: c.sentinel_http_request = .{
            .method = outbound.method,
            .url = outbound.url,
            .headers = converted.headers,
            .body = view(outbound.body),
            .timeout = outbound.timeout,
        };
        var response: c.sentinel_response = undefined;
        return switch (c.sentinel_http_send(&request, &response)) {
            c.SENTINEL_HTTP_OK => .{
                .status = response.status,
                .headers = .{ .raw = response.headers },
                .body = text(response.body),
            },
            c.SENTINEL_HTTP_DENIED => error.Denied,
            c.SENTINEL_HTTP_INVALID => error.Invalid,
            c.SENTINEL_HTTP_TOO_MANY => error.TooMany,
            c.SENTINEL_HTTP_TIMEOUT => error.Timeout,
            c.SENTINEL_HTTP_TOO_LARGE => error.TooLarge,
            else => error.Unreachable,
        };
    }
};

/// Exports the hooks that a guest's file has; the SDK's root file calls it.
pub fn exportHooks(comptime Guest: type) void {
    const hooks = Hooks(Guest);
    inline for (.{
        .{ "configure", "lifecycle@0.1.0#configure" },
        .{ "onRequest", "request-handler@0.1.0#on-request" },
        .{ "onResponse", "response-handler@0.1.0#on-response" },
        .{ "onComplete", "completion-handler@0.1.0#on-complete" },
        .{ "onRequestChunk", "request-body-handler@0.1.0#on-request-chunk" },
        .{ "onResponseChunk", "response-body-handler@0.1.0#on-response-chunk" },
    }) |hook| {
        if (@hasDecl(Guest, hook[0])) {
            @export(&@field(hooks, hook[0]), .{ .name = "sentinel:gateway/" ++ hook[1] });
        }
    }
    inline for (comptime std.meta.declarations(Guest)) |declared| {
        if (comptime std.mem.startsWith(u8, declared, "on") and !@hasDecl(hooks, declared)) {
            @compileError("there is no hook " ++ declared);
        }
    }
}

/// The result of a hook, whose error ends the call.
fn settle(result: anytype) Settled(@TypeOf(result)) {
    if (@typeInfo(@TypeOf(result)) != .error_union) return result;
    return result catch |problem| {
        log.err("the guest failed: {t}", .{problem});
        @trap();
    };
}

fn Settled(comptime Result: type) type {
    return switch (@typeInfo(Result)) {
        .error_union => |parts| parts.payload,
        else => Result,
    };
}

fn answer(response: ?Response) ?*const c.sentinel_response {
    return if (response) |made| made.convert() else null;
}

/// What C calls for each hook, from the host's bytes on.
fn Hooks(comptime Guest: type) type {
    return struct {
        pub fn configure(config: ?*const anyopaque, size: usize) callconv(.c) ?*c.sentinel_outcome_area {
            return c.sentinel_run_configure(&callConfigure, config, size);
        }
        fn callConfigure(config: ?*c.sentinel_config) callconv(.c) [*c]const u8 {
            const problem: ?[]const u8 = settle(Guest.configure(Config{ .raw = config.? }));
            return if (problem) |found| terminated(found) else null;
        }
        pub fn onRequest(head: ?*const anyopaque, size: usize) callconv(.c) ?*c.sentinel_area {
            return c.sentinel_run_request(&callRequest, head, size);
        }
        fn callRequest(raw: [*c]c.sentinel_request) callconv(.c) [*c]const c.sentinel_response {
            var request: Request = .init(raw);
            return answer(settle(Guest.onRequest(&request)));
        }
        pub fn onResponse(
            head: ?*const anyopaque,
            size: usize,
            context: ?*const anyopaque,
            context_size: usize,
        ) callconv(.c) ?*c.sentinel_area {
            return c.sentinel_run_response(&callResponse, head, size, context, context_size);
        }
        fn callResponse(raw: [*c]c.sentinel_incoming_response) callconv(.c) [*c]const c.sentinel_response {
            var response: IncomingResponse = .init(raw);
            return answer(settle(Guest.onResponse(&response)));
        }
        pub fn onComplete(
            summary: ?*const anyopaque,
            size: usize,
            context: ?*const anyopaque,
            context_size: usize,
        ) callconv(.c) void {
            c.sentinel_run_complete(&callComplete, summary, size, context, context_size);
        }
        fn callComplete(summary: [*c]const Summary) callconv(.c) void {
            settle(Guest.onComplete(@as(*const Summary, summary)));
        }
        pub fn onRequestChunk(
            chunk: ?*const anyopaque,
            size: usize,
            last: c_int,
            context: ?*const anyopaque,
            context_size: usize,
        ) callconv(.c) ?*c.sentinel_area {
            return c.sentinel_run_request_chunk(&callRequestChunk, chunk, size, last, context, context_size);
        }
        fn callRequestChunk(raw: [*c]c.sentinel_request_chunk) callconv(.c) [*c]const c.sentinel_response {
            var chunk: RequestChunk = .init(raw);
            return answer(settle(Guest.onRequestChunk(&chunk)));
        }
        pub fn onResponseChunk(
            chunk: ?*const anyopaque,
            size: usize,
            last: c_int,
            context: ?*const anyopaque,
            context_size: usize,
        ) callconv(.c) ?*c.sentinel_area {
            return c.sentinel_run_response_chunk(&callResponseChunk, chunk, size, last, context, context_size);
        }
        fn callResponseChunk(raw: [*c]c.sentinel_response_chunk) callconv(.c) [*c]const c.sentinel_response {
            var chunk: ResponseChunk = .init(raw);
            return answer(settle(Guest.onResponseChunk(&chunk)));
        }
    };
}

/// Unit tests of guests, natively: `sentinel test` runs the `test` blocks of a project's sources.
pub const testing = struct {
    /// A request over HTTP/1.1 from 192.0.2.1. What earlier calls logged and allocated is
    /// forgotten.
    pub fn request(method: [:0]const u8, path: [:0]const u8, headers: []const Header) Request {
        c.sentinel_test_end_call();
        c.sentinel_test_reset();
        const fields = (Response{ .headers = headers }).convert();
        const raw = allocator.create(c.sentinel_request) catch fail("out of memory");
        raw.* = c.sentinel_test_request(method, path, fields.headers.items, headers.len);
        return .init(raw);
    }
    /// A 200 of the upstream.
    pub fn response(headers: []const Header) IncomingResponse {
        c.sentinel_test_end_call();
        c.sentinel_test_reset();
        const fields = (Response{ .headers = headers }).convert();
        const raw = allocator.create(c.sentinel_incoming_response) catch fail("out of memory");
        raw.* = c.sentinel_test_response(fields.headers.items, headers.len);
        return .init(raw);
    }
    /// The help text that describes a metric.
    pub fn described(name: [:0]const u8) ?[]const u8 {
        return slice(c.sentinel_test_described(name));
    }
    /// How many lines were logged, and each of them.
    pub fn lines() usize {
        return c.sentinel_test_lines();
    }
    pub fn line(at: usize) ?[]const u8 {
        return slice(c.sentinel_test_line(at));
    }
};
