//! Lets a request pass if it has one of the configured API keys, and tells the upstream whose key
//! it was.

const std = @import("std");
const sentinel = @import("sentinel");

const Key = struct { secret: []const u8, principal: []const u8 };

var keys: []const Key = &.{};
var header: [:0]const u8 = "";
var principal_header: [:0]const u8 = "";
var challenge: []const u8 = "";

pub fn configure(config: sentinel.Config) !?[]const u8 {
    header = config.headerName("header", "x-api-key");
    principal_header = config.headerName("principal_header", "x-principal");
    const realm = config.string("realm", "sentinel");
    // RFC 9110, section 5.6.4: within a quoted-string these two would need escapes.
    if (sentinel.headerValueProblem(realm) != null or std.mem.indexOfAny(u8, realm, "\"\\") != null) {
        config.refuse("realm: no control characters, quotation marks or backslashes", .{});
    }
    challenge = try std.fmt.allocPrint(sentinel.allocator, "ApiKey realm=\"{s}\"", .{realm});
    keys = try readKeys(config.map("keys"));
    return config.finish();
}

/// The messages leave the keys out: they are secrets.
fn readKeys(config: sentinel.Config) ![]const Key {
    const entries = config.entries();
    if (entries.count() == 0) config.refuse("at least one key is needed", .{});
    const found = try sentinel.allocator.alloc(Key, entries.count());
    for (found, 0..) |*key, at| {
        key.* = .{ .secret = entries.key(at), .principal = entries.string(at) orelse "" };
        if (key.secret.len == 0) config.refuse("a key is empty", .{});
        if (key.principal.len == 0 or sentinel.headerValueProblem(key.principal) != null) {
            config.refuse("the principal of each key has to be text that a header can carry", .{});
        }
    }
    return found;
}

pub fn onRequest(request: *sentinel.Request) ?sentinel.Response {
    const sent = request.header(header) orelse return refusal(401, "an API key is required", &.{
        .{ .name = "content-type", .value = "application/json" },
        .{ .name = "www-authenticate", .value = challenge },
    });
    const json = [_]sentinel.Header{.{ .name = "content-type", .value = "application/json" }};
    // Which of two would count is a question that gateway and upstream could answer differently.
    if (request.headers.countOf(header) > 1) return refusal(403, "more than one API key was sent", &json);
    // Every key is compared, whether an earlier one agreed or not: the time must not tell which one
    // it was.
    var match: usize = 0;
    for (keys, 1..) |key, place| match |= place * @intFromBool(sentinel.equalSecret(sent, key.secret));
    if (match == 0) return refusal(403, "this API key is not accepted", &json);
    request.removeHeader(header);
    request.setHeader(principal_header, keys[match - 1].principal);
    return null;
}

fn refusal(status: u16, message: []const u8, headers: []const sentinel.Header) sentinel.Response {
    const body = std.fmt.allocPrint(sentinel.allocator, "{{\"error\":{s}}}", .{sentinel.jsonString(message)}) catch
        sentinel.fail("out of memory");
    return .{ .status = status, .headers = sentinel.copied(headers), .body = body };
}
