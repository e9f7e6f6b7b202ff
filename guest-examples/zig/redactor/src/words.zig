//! Finding words in a stream: the automaton of Aho and Corasick (1975), with a column for each byte
//! of a word.

const std = @import("std");
const Words = @This();

/// Keeps the table under 512 KiB.
const longest = 1024;

/// The column of each byte; 0 is that of all bytes that are in no word.
columns: [256]u8 = @splat(0),
width: usize = 1,
table: []u16 = &.{},
/// Of each state the longest word that ends there, and how many bytes before it may begin one.
found: []u16 = &.{},
open: []u16 = &.{},

/// What is wrong with these words.
pub fn problem(words: []const []const u8) ?[]const u8 {
    var size: usize = 0;
    for (words) |word| {
        if (word.len == 0) return "words: a word is empty";
        size += word.len;
    }
    return if (size > longest) "words: at most 1,024 bytes together" else null;
}

pub fn init(allocator: std.mem.Allocator, words: []const []const u8) !Words {
    var made: Words = .{};
    var most: usize = 1;
    for (words) |word| {
        most += word.len;
        for (word) |byte| {
            if (made.columns[byte] != 0) continue;
            // Text has fewer than 255 different bytes: UTF-8 leaves 13 out.
            made.columns[byte] = @intCast(made.width);
            made.width += 1;
        }
    }
    made.table = try zeros(allocator, most * made.width);
    made.found = try zeros(allocator, most);
    made.open = try zeros(allocator, most);
    const depth = try zeros(allocator, most);
    var states: u16 = 1;
    for (words) |word| {
        var state: usize = 0;
        for (word) |byte| {
            const slot = &made.table[state * made.width + made.columns[byte]];
            if (slot.* == 0) {
                slot.* = states;
                depth[states] = depth[state] + 1;
                states += 1;
            }
            state = slot.*;
        }
        made.found[state] = @intCast(word.len);
    }
    try made.close(allocator, depth[0..states]);
    return made;
}

pub fn next(self: *const Words, state: usize, byte: u8) usize {
    return self.table[state * self.width + self.columns[byte]];
}

/// Makes an automaton of the tree: where a state has no child, it goes where its longest proper
/// suffix goes.
fn close(self: *Words, allocator: std.mem.Allocator, depth: []const u16) !void {
    const suffix = try zeros(allocator, depth.len);
    const queue = try zeros(allocator, depth.len);
    var ends: usize = 1;
    var at: usize = 0;
    while (at < ends) : (at += 1) {
        const state: usize = queue[at];
        var is_leaf = true;
        for (0..self.width) |column| {
            const slot = &self.table[state * self.width + column];
            const by_suffix = if (state == 0) 0 else self.table[suffix[state] * self.width + column];
            const child = slot.*;
            if (child == 0) {
                slot.* = by_suffix;
                continue;
            }
            is_leaf = false;
            suffix[child] = by_suffix;
            self.found[child] = @max(self.found[child], self.found[by_suffix]);
            queue[ends] = child;
            ends += 1;
        }
        const begun = if (is_leaf) self.open[suffix[state]] else depth[state];
        // A word that ends here and covers all of it leaves nothing open.
        self.open[state] = if (self.found[state] >= begun) 0 else begun;
    }
}

fn zeros(allocator: std.mem.Allocator, count: usize) ![]u16 {
    const made = try allocator.alloc(u16, count);
    @memset(made, 0);
    return made;
}
