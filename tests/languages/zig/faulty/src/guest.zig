//! A guest that fails as the header field `x-fault` says.

const std = @import("std");
const sentinel = @import("sentinel");

fn depth(left: usize) usize {
    var frame: [1000]u8 = undefined;
    const seen: *volatile u8 = &frame[left % frame.len];
    seen.* = 1;
    return if (left == 0) 0 else depth(left - 1) + seen.*;
}

pub fn onRequest(request: *sentinel.Request) !?sentinel.Response {
    const fault = request.header("x-fault") orelse "";
    if (std.mem.eql(u8, fault, "crash")) @panic("the author says why");
    if (std.mem.eql(u8, fault, "error")) return error.AuthorsOwn;
    if (std.mem.eql(u8, fault, "index")) request.setHeader("x", fault[0 .. request.headers.count() + 100]);
    if (std.mem.eql(u8, fault, "loop")) {
        var turns: usize = 0;
        const seen: *volatile usize = &turns;
        while (seen.* < 1000) seen.* = (seen.* + 1) % 1000;
    }
    if (std.mem.eql(u8, fault, "memory")) while (true) @memset(try sentinel.allocator.alloc(u8, 100_000), 1);
    if (std.mem.eql(u8, fault, "stack")) sentinel.log.info("{d}", .{depth(1_000_000)});
    if (std.mem.eql(u8, fault, "clock")) sentinel.log.info("{d}", .{sentinel.clock.wall()});
    request.setHeader("x-seen", request.path);
    return null;
}
