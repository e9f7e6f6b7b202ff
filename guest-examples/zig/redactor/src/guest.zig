//! Masks long runs of digits, and configured words, in responses that are text; also those that lie
//! across chunks.

const std = @import("std");
const sentinel = @import("sentinel");
const Words = @import("words.zig");

var mask: u8 = '*';
/// A run of at least so many digits is masked; 0 masks none.
var digits: usize = 0;
var words: Words = .{};
/// The bytes in which neither a word nor a run of digits goes on.
var plain: [256]bool = @splat(false);

// An instance serves one body at a time, from its first chunk to its last: where the automaton
// stands, how many digits the bytes so far end with, and their end, which is held back because it
// may begin something to mask.
var state: usize = 0;
var run: usize = 0;
var held: []u8 = &.{};

pub fn configure(config: sentinel.Config) !?[]const u8 {
    const text = config.string("mask", "*");
    if (text.len != 1 or !std.ascii.isPrint(text[0])) {
        config.refuse("mask: one printable character of ASCII is needed", .{});
    }
    // The shortest card numbers have 13 digits (ISO/IEC 7812).
    const wanted = config.int("digits", 13);
    if (wanted < 0 or wanted > 64) config.refuse("digits: 0 to 64", .{});
    const texts = try config.strings("words");
    if (Words.problem(texts)) |problem| config.refuse("{s}", .{problem});
    if (config.finish()) |refusal| return refusal;
    mask = text[0];
    digits = @intCast(wanted);
    words = try .init(sentinel.allocator, texts);
    for (&plain, 0..) |*is_plain, byte| {
        const is_counted = digits > 0 and std.ascii.isDigit(@intCast(byte));
        is_plain.* = words.columns[byte] == 0 and !is_counted;
    }
    return null;
}

/// What the upstream compresses, or cuts into ranges, could not be read.
pub fn onRequest(request: *sentinel.Request) ?sentinel.Response {
    request.setHeader("accept-encoding", "identity");
    request.removeHeader("range");
    return null;
}

pub fn onResponse(response: *sentinel.IncomingResponse) ?sentinel.Response {
    var is_any_text = false;
    var is_plain = true;
    for (0..response.headers.count()) |at| {
        const field = response.headers.at(at);
        if (std.mem.eql(u8, field.name, "content-type") and isText(field.value)) is_any_text = true;
        const is_coding = std.mem.eql(u8, field.name, "content-encoding");
        if (is_coding and !std.ascii.eqlIgnoreCase(field.value, "identity")) is_plain = false;
    }
    if (!is_any_text) return null;
    if (is_plain) response.setBody(.stream) else sentinel.log.warn("an encoded response passes unmasked", .{});
    return null;
}

pub fn onResponseChunk(piece: *sentinel.ResponseChunk) !?sentinel.Response {
    const chunk = piece.bytes;
    var out: ?[]u8 = if (held.len > 0) try joined(chunk) else null;
    for (chunk, held.len + 1..) |byte, end| {
        if (plain[byte]) {
            state = 0;
            run = 0;
            continue;
        }
        state = words.next(state, byte);
        run = if (std.ascii.isDigit(byte)) run + 1 else 0;
        const length = @max(words.found[state], digitsFound());
        if (length == 0) continue;
        if (out == null) out = try joined(chunk);
        // What went out before was masked then.
        @memset(out.?[end -| length..end], mask);
    }
    const size = held.len + chunk.len;
    var open: usize = @min(size, @max(words.open[state], if (run < digits) run else 0));
    if (piece.is_last) {
        open = 0;
        state = 0;
        run = 0;
    }
    if (open > 0 and out == null) out = try joined(chunk);
    sentinel.keeping.free(held);
    held = &.{};
    if (out) |bytes| {
        held = try sentinel.keeping.dupe(u8, bytes[size - open ..]);
        piece.replace(bytes[0 .. size - open]);
    }
    return null;
}

/// How many bytes at the end of the run are to be masked now: all once it is long enough, then each
/// that follows.
fn digitsFound() usize {
    if (digits == 0 or run < digits) return 0;
    return if (run == digits) digits else 1;
}

fn joined(chunk: []const u8) ![]u8 {
    return std.mem.concat(sentinel.allocator, u8, &.{ held, chunk });
}

fn isText(content_type: []const u8) bool {
    const media_type = sentinel.mediaType(content_type);
    if (std.mem.startsWith(u8, media_type, "text/")) return true;
    for ([_][]const u8{ "/json", "+json", "/xml", "+xml" }) |end| {
        if (std.mem.endsWith(u8, media_type, end)) return true;
    }
    return false;
}
