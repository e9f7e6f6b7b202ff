//! A guest that implements every hook and does what its configuration says, so that vectors can
//! drive the SDK: `{"hook": "on-request", "ops": [["set", "x-a", "1"],
//! ["dump"]]}`. The hooks that `hook` does not name change nothing, but that before a chunk hook
//! asks for the body as `"body": ["stream"]` or `["buffer", 1024]` says.

mod dump;
mod operation;

use sentinel_sdk::log;
use sentinel_sdk::prelude::*;
use sentinel_sdk::BodyMode;

use crate::operation::{apply_to_request, apply_to_response, response, Operation};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    hook: String,
    #[serde(default)]
    ops: Vec<Operation>,
    #[serde(default)]
    body: Option<Operation>,
}

struct Conformance(Config);

impl Conformance {
    fn operations(&self, hook: &str) -> &[Operation] {
        if self.0.hook == hook {
            &self.0.ops
        } else {
            &[]
        }
    }

    /// The mode to ask for so that the chunk hook of this name is called, if it is to be.
    fn body_mode(&self, chunk_hook: &str) -> Option<BodyMode> {
        let asks = self.0.hook == chunk_hook;
        self.0.body.as_ref().filter(|_| asks).map(|body| body.mode_at(0))
    }
}

#[guest]
impl Guest for Conformance {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        if let Some(mode) = self.body_mode("on-request-chunk") {
            ask_for_request_body(request, mode);
        }
        for operation in self.operations("on-request") {
            match operation.name() {
                "dump" => return Err(Response::new(200).body(dump::request(request.head()))),
                "respond" => return Err(response(operation)),
                "set" => request.set_header(operation.text(1), operation.text(2)),
                "append" => request.append_header(operation.text(1), operation.text(2)),
                "remove" => request.remove_header(operation.text(1)),
                "context" => request.set_context_bytes(operation.text(1)),
                "path" => request.set_path(operation.text(1)),
                "query" => request.set_query(operation.text(1)),
                "method" => request.set_method(operation.text(1)),
                "upstream" => request.set_upstream(operation.text(1)),
                "body" => ask_for_request_body(request, operation.body_mode()),
                other => panic!("on-request has no operation {other:?}"),
            }
        }
        Ok(())
    }

    fn on_response(&self, answer: &mut IncomingResponse) -> Result<(), Response> {
        if let Some(mode) = self.body_mode("on-response-chunk") {
            ask_for_response_body(answer, mode);
        }
        for operation in self.operations("on-response") {
            match operation.name() {
                "dump" => return Err(Response::new(200).body(dump::response(answer))),
                "respond" => return Err(response(operation)),
                "set" => answer.set_header(operation.text(1), operation.text(2)),
                "append" => answer.append_header(operation.text(1), operation.text(2)),
                "remove" => answer.remove_header(operation.text(1)),
                "status" => answer.set_status(operation.status(1)),
                "body" => ask_for_response_body(answer, operation.body_mode()),
                other => panic!("on-response has no operation {other:?}"),
            }
        }
        Ok(())
    }

    fn on_complete(&self, summary: &Summary) {
        for operation in self.operations("on-complete") {
            match operation.name() {
                "dump" => log::write(log::Level::Info, &dump::summary(summary)),
                other => panic!("on-complete has no operation {other:?}"),
            }
        }
    }

    fn on_request_chunk(&self, chunk: &mut RequestChunk) -> Result<(), Response> {
        for operation in self.operations("on-request-chunk") {
            match operation.name() {
                "replace" => chunk.replace(operation.text(1)),
                "respond" => return Err(response(operation)),
                "edit-head" => {
                    for edit in operation.nested(1) {
                        apply_to_request(&edit, chunk.head());
                    }
                    if let Some(replacement) = operation.optional_text(2) {
                        chunk.replace(replacement);
                    }
                }
                other => panic!("on-request-chunk has no operation {other:?}"),
            }
        }
        Ok(())
    }

    fn on_response_chunk(&self, chunk: &mut ResponseChunk) -> Result<(), Response> {
        for operation in self.operations("on-response-chunk") {
            match operation.name() {
                "replace" => chunk.replace(operation.text(1)),
                "respond" => return Err(response(operation)),
                "edit-head" => {
                    for edit in operation.nested(1) {
                        apply_to_response(&edit, chunk.head());
                    }
                    if let Some(replacement) = operation.optional_text(2) {
                        chunk.replace(replacement);
                    }
                }
                other => panic!("on-response-chunk has no operation {other:?}"),
            }
        }
        Ok(())
    }
}

fn ask_for_request_body(request: &mut Request, mode: BodyMode) {
    match mode {
        BodyMode::Skip => request.skip_body(),
        BodyMode::Stream => request.stream_body(),
        BodyMode::Buffer(limit) => request.buffer_body(limit),
    }
}

fn ask_for_response_body(answer: &mut IncomingResponse, mode: BodyMode) {
    match mode {
        BodyMode::Skip => answer.skip_body(),
        BodyMode::Stream => answer.stream_body(),
        BodyMode::Buffer(limit) => answer.buffer_body(limit),
    }
}
