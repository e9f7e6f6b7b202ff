//! The root of a guest's build: it exports the hooks of the author's file, and logs its panics.

const guest = @import("guest");
const sentinel = @import("sentinel");

pub const panic = sentinel.panic;

comptime {
    sentinel.exportHooks(guest);
}
