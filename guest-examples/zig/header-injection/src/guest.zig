//! Sets, appends and removes header fields of requests and responses, as configured.

const sentinel = @import("sentinel");

var request_edits: sentinel.Edits = .{};
var response_edits: sentinel.Edits = .{};

pub fn configure(config: sentinel.Config) ?[]const u8 {
    request_edits = config.map("request").headerEdits();
    response_edits = config.map("response").headerEdits();
    return config.finish();
}

pub fn onRequest(request: *sentinel.Request) ?sentinel.Response {
    request.edits().headers().addAll(&request_edits);
    return null;
}

pub fn onResponse(response: *sentinel.IncomingResponse) ?sentinel.Response {
    response.edits().addAll(&response_edits);
    return null;
}
